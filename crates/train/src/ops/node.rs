//! A node of candle's graph around a result that is already there, with any number of inputs.
//!
//! candle's custom operations take up to three arguments. Further inputs hang on a scalar that stands for them: its gradient is
//! nothing, but its own backward pass hands out the gradients that the node has left for them.

use candle_core::op::BackpropOp;
use candle_core::{
    CpuStorage, CudaStorage, CustomOp1, CustomOp2, CustomOp3, DType, Layout, Result, Shape, Storage, Tensor, bail,
};
use std::sync::{Arc, Mutex};

/// Gradients of the inputs, in order, from the gradient of the result; `None` for an input that has none.
type Backward = Box<dyn Fn(&Tensor) -> Result<Vec<Option<Tensor>>> + Send + Sync>;

/// The tensor in `value`; gradients reach `inputs` through `backward`.
pub(super) fn node(
    name: &'static str,
    inputs: &[&Tensor],
    value: Storage,
    shape: impl Into<Shape>,
    backward: impl Fn(&Tensor) -> Result<Vec<Option<Tensor>>> + Send + Sync + 'static,
) -> Result<Tensor> {
    let shape = shape.into();
    let mut tracked: Vec<(usize, Tensor)> =
        inputs.iter().enumerate().filter(|(_, t)| t.track_op()).map(|(i, t)| (i, (*t).clone())).collect();
    if tracked.is_empty() {
        return Ok(Tensor::from_storage(value, shape, BackpropOp::none(), false));
    }
    let left: Left = Arc::default();
    let mut places: Vec<Option<usize>> = vec![];
    let mut arguments: Vec<Tensor> = vec![];
    while tracked.len() + arguments.len() > 3 {
        let group = tracked.split_off(tracked.len().saturating_sub(3));
        let link = Link { places: group.iter().map(|(i, _)| *i).collect(), left: left.clone() };
        let members: Vec<Tensor> = group.into_iter().map(|(_, t)| t).collect();
        arguments.push(apply(&members, link)?);
        places.push(None);
    }
    for (place, tensor) in tracked {
        places.push(Some(place));
        arguments.push(tensor);
    }
    apply(&arguments, Node { name, value: Mutex::new(Some(value)), shape, places, left, backward: Box::new(backward) })
}

/// Gradients that wait for their links.
type Left = Arc<Mutex<Vec<Option<Tensor>>>>;

trait Operation: CustomOp1 + CustomOp2 + CustomOp3 + Send + Sync + 'static {}
impl<T: CustomOp1 + CustomOp2 + CustomOp3 + Send + Sync + 'static> Operation for T {}

fn apply(arguments: &[Tensor], operation: impl Operation) -> Result<Tensor> {
    // Only storages of one device and any layout are asked for; none is read.
    match arguments {
        [a] => a.apply_op1(operation),
        [a, b] => a.apply_op2(b, operation),
        [a, b, c] => a.apply_op3(b, c, operation),
        _ => bail!("a node with {} arguments", arguments.len()),
    }
}

struct Node {
    name: &'static str,
    value: Mutex<Option<Storage>>,
    shape: Shape,
    /// For each argument its place among the inputs; none for a link.
    places: Vec<Option<usize>>,
    left: Left,
    backward: Backward,
}

/// Stands for further inputs.
struct Link {
    places: Vec<usize>,
    left: Left,
}

impl Node {
    fn result(&self) -> Result<(Storage, Shape)> {
        match self.value.lock().unwrap_or_else(|e| e.into_inner()).take() {
            Some(value) => Ok((value, self.shape.clone())),
            None => bail!("the result of {} was taken twice", self.name),
        }
    }

    fn cpu(&self) -> Result<(CpuStorage, Shape)> {
        match self.result()? {
            (Storage::Cpu(storage), shape) => Ok((storage, shape)),
            _ => bail!("the result of {} is on another device than its arguments", self.name),
        }
    }

    fn cuda(&self, _: &CudaStorage) -> Result<(CudaStorage, Shape)> {
        match self.result()? {
            (Storage::Cuda(storage), shape) => Ok((storage, shape)),
            _ => bail!("the result of {} is on another device than its arguments", self.name),
        }
    }

    fn title(&self) -> &'static str {
        self.name
    }

    fn gradients(&self, grad: &Tensor) -> Result<Vec<Option<Tensor>>> {
        let mut all = (self.backward)(grad)?;
        let mine = self.places.iter().map(|place| match place {
            Some(place) => Ok(all[*place].take()),
            None => Tensor::zeros((), DType::F32, grad.device()).map(Some),
        });
        let mine = mine.collect::<Result<_>>()?;
        *self.left.lock().unwrap_or_else(|e| e.into_inner()) = all;
        Ok(mine)
    }
}

impl Link {
    fn cpu(&self) -> Result<(CpuStorage, Shape)> {
        Ok((CpuStorage::F32(vec![0.0]), Shape::from(())))
    }

    fn cuda(&self, like: &CudaStorage) -> Result<(CudaStorage, Shape)> {
        use candle_core::backend::{BackendDevice, BackendStorage};
        let shape = Shape::from(());
        Ok((like.device().zeros_impl(&shape, DType::F32)?, shape))
    }

    fn title(&self) -> &'static str {
        "inputs"
    }

    fn gradients(&self, _: &Tensor) -> Result<Vec<Option<Tensor>>> {
        let mut left = self.left.lock().unwrap_or_else(|e| e.into_inner());
        Ok(self.places.iter().map(|&place| left[place].take()).collect())
    }
}

fn taken<const N: usize>(gradients: Vec<Option<Tensor>>) -> Result<[Option<Tensor>; N]> {
    gradients.try_into().map_err(|_| candle_core::Error::Msg("another number of gradients than arguments".into()))
}

/// The three traits differ in the number of arguments alone.
macro_rules! operation {
    ($type:ty) => {
        impl CustomOp1 for $type {
            fn name(&self) -> &'static str {
                self.title()
            }
            fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
                self.cpu()
            }
            fn cuda_fwd(&self, a: &CudaStorage, _: &Layout) -> Result<(CudaStorage, Shape)> {
                self.cuda(a)
            }
            fn bwd(&self, _: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
                taken(self.gradients(grad)?).map(|[a]| a)
            }
        }
        operation!($type, CustomOp2, [_: &CpuStorage, _: &Layout], [_: &CudaStorage, _: &Layout], [_: &Tensor],
            (Option<Tensor>, Option<Tensor>), [a b]);
        operation!($type, CustomOp3, [_: &CpuStorage, _: &Layout, _: &CpuStorage, _: &Layout],
            [_: &CudaStorage, _: &Layout, _: &CudaStorage, _: &Layout], [_: &Tensor, _: &Tensor],
            (Option<Tensor>, Option<Tensor>, Option<Tensor>), [a b c]);
    };
    ($type:ty, $op:ident, [$($cpu:tt)*], [$($cuda:tt)*], [$($more:tt)*], $out:ty, [$($g:ident)*]) => {
        impl $op for $type {
            fn name(&self) -> &'static str {
                self.title()
            }
            fn cpu_fwd(&self, _: &CpuStorage, _: &Layout, $($cpu)*) -> Result<(CpuStorage, Shape)> {
                self.cpu()
            }
            fn cuda_fwd(&self, a: &CudaStorage, _: &Layout, $($cuda)*) -> Result<(CudaStorage, Shape)> {
                self.cuda(a)
            }
            fn bwd(&self, _: &Tensor, $($more)*, _: &Tensor, grad: &Tensor) -> Result<$out> {
                taken(self.gradients(grad)?).map(|[$($g),*]| ($($g),*))
            }
        }
    };
}
operation!(Node);
operation!(Link);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{distance, random};
    use candle_core::{Device, Var};

    /// `sum of i x_i` over five inputs, the second of which is no variable.
    #[test]
    fn gradients_reach_any_number_of_inputs() {
        for count in 1..=9usize {
            let inputs: Vec<Tensor> = (0..count)
                .map(|i| match i {
                    1 => random(&[4], i as u64),
                    _ => Var::from_tensor(&random(&[4], i as u64)).unwrap().as_tensor().clone(),
                })
                .collect();
            let value = Storage::Cpu(CpuStorage::F32(vec![1.0, 2.0, 3.0, 4.0]));
            let out = node("sum", &inputs.iter().collect::<Vec<_>>(), value, 4, move |grad| {
                (0..count).map(|i| (grad * (i + 1) as f64).map(Some)).collect()
            });
            let upstream = Tensor::new(&[1.0f32, -1.0, 0.5, 2.0], &Device::Cpu).unwrap();
            let out = out.unwrap();
            assert_eq!(out.to_vec1::<f32>().unwrap(), [1.0, 2.0, 3.0, 4.0]);
            let grads = (out * &upstream).unwrap().sum_all().unwrap().backward().unwrap();
            for (i, input) in inputs.iter().enumerate() {
                match grads.get(input) {
                    Some(gradient) => assert_eq!(distance(gradient, &(&upstream * (i + 1) as f64).unwrap()), 0.0),
                    None => assert_eq!(i, 1, "no gradient for input {i} of {count}"),
                }
            }
        }
    }
}
