//! Gradients of operations that bring their own backward pass.
//!
//! candle collects every gradient in zeros to which it adds: two launches and four passes over memory for each, which on a GPU is a
//! third of a step of small matrices. And its graph keeps what the forward pass left until the whole of it is dropped. Here an
//! operation writes itself on a tape; the backward pass goes over the tape from its end, hands gradients on as they are, adds only where
//! a tensor was used twice, and frees what it has passed. candle's own operations may stand between those on the tape.

use candle_core::backprop::GradStore;
use candle_core::op::BackpropOp;
use candle_core::{Result, Shape, Storage, Tensor, TensorId};
use std::cell::RefCell;
use std::collections::HashMap;

/// Gradients of the inputs, in order, from the gradient of the result; `None` for an input that has none.
type Backward = Box<dyn FnOnce(&Tensor) -> Result<Vec<Option<Tensor>>>>;

struct Node {
    inputs: Vec<Input>,
    /// The result's number.
    output: TensorId,
    backward: Backward,
}

/// Where the gradient of an input goes.
enum Input {
    Nowhere,
    /// A parameter, or a result on the tape. The tape does not hold its memory.
    Variable(TensorId),
    /// A result of candle's operations.
    Candle(Tensor),
}

impl Input {
    fn of(tensor: &Tensor) -> Self {
        match (tensor.track_op(), tensor.is_variable()) {
            (false, _) => Self::Nowhere,
            (true, true) => Self::Variable(tensor.id()),
            (true, false) => Self::Candle(tensor.clone()),
        }
    }
}

thread_local! {
    /// A tape for each call of [`differentiate`] that this thread is in: while it waits for other threads, it may begin another.
    static TAPES: RefCell<Vec<Vec<Node>>> = const { RefCell::new(vec![]) };
}

/// Takes the innermost tape away, also when what was recorded fails.
struct Recording;

impl Recording {
    fn start() -> Self {
        TAPES.with_borrow_mut(|tapes| tapes.push(vec![]));
        Self
    }

    fn finish(self) -> Vec<Node> {
        TAPES.with_borrow_mut(|tapes| tapes.last_mut().map(std::mem::take)).unwrap_or_default()
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        TAPES.with_borrow_mut(Vec::pop);
    }
}

/// Runs `f` and gives the gradients, for every variable that the scalar it returns first depends on, with what it returns second.
///
/// Operations outside of such a call leave no tape, so that evaluation keeps nothing for a backward pass.
pub fn differentiate<T, E: From<candle_core::Error>>(
    f: impl FnOnce() -> std::result::Result<(Tensor, T), E>,
) -> std::result::Result<(GradStore, T), E> {
    let mut store = GradStore::default();
    let value = differentiate_into(f, &mut |id, gradient| {
        store.insert_id(id, gradient);
        Ok(())
    })?;
    Ok((store, value))
}

/// The same, but hands out each gradient as soon as it is complete: on a GPU while the backward pass goes on. The order follows from the
/// operations alone; where candle collects the gradients, it is any.
pub fn differentiate_into<T, E: From<candle_core::Error>>(
    f: impl FnOnce() -> std::result::Result<(Tensor, T), E>,
    complete: &mut dyn FnMut(TensorId, Tensor) -> std::result::Result<(), E>,
) -> std::result::Result<T, E> {
    let recording = Recording::start();
    let (loss, value) = f()?;
    backward(recording.finish(), &loss, complete)?;
    Ok(value)
}

/// The tensor in `value`; gradients reach `inputs` through `backward`.
pub(super) fn node(
    inputs: &[&Tensor],
    value: Storage,
    shape: impl Into<Shape>,
    backward: impl FnOnce(&Tensor) -> Result<Vec<Option<Tensor>>> + 'static,
) -> Tensor {
    let tracked = inputs.iter().any(|t| t.track_op());
    TAPES.with_borrow_mut(|tapes| match tapes.last_mut().filter(|_| tracked) {
        None => Tensor::from_storage(value, shape, BackpropOp::none(), false),
        Some(tape) => {
            // For candle a variable: its own backward pass ends here.
            let output = Tensor::from_storage(value, shape, BackpropOp::none(), true);
            let inputs = inputs.iter().map(|t| Input::of(t)).collect();
            tape.push(Node { inputs, output: output.id(), backward: Box::new(backward) });
            output
        }
    })
}

/// Gradients of what the tape is not through with, and of parameters.
#[derive(Default)]
struct Found(HashMap<TensorId, Tensor>);

impl Found {
    fn add(&mut self, id: TensorId, gradient: &Tensor) -> Result<()> {
        let sum = match self.0.remove(&id) {
            Some(sum) => (sum + gradient)?,
            None => gradient.clone(),
        };
        self.0.insert(id, sum.detach());
        Ok(())
    }

    fn extend(&mut self, store: &GradStore) -> Result<()> {
        store.get_ids().filter_map(|id| Some((id, store.get_id(*id)?))).try_for_each(|(id, g)| self.add(*id, g))
    }
}

/// What has to be passed before a variable's gradient is complete.
struct Open {
    /// How often a variable is still an input.
    uses: HashMap<TensorId, usize>,
    /// Inputs that candle made: no one knows which variables are behind them.
    candle: usize,
}

impl Open {
    fn of(tape: &[Node]) -> Self {
        let mut open = Self { uses: HashMap::new(), candle: 0 };
        for input in tape.iter().flat_map(|node| &node.inputs) {
            match input {
                Input::Nowhere => {}
                Input::Variable(id) => *open.uses.entry(*id).or_default() += 1,
                Input::Candle(_) => open.candle += 1,
            }
        }
        // Results on the tape are no variables for anyone else.
        for node in tape {
            open.uses.remove(&node.output);
        }
        open
    }

    fn pass(&mut self, input: &Input) {
        match input {
            Input::Nowhere => {}
            Input::Variable(id) => {
                self.uses.entry(*id).and_modify(|uses| *uses -= 1);
            }
            Input::Candle(_) => self.candle -= 1,
        }
    }

    /// Variables that are complete now, in no order, given those that a node had as inputs.
    fn complete(&mut self, inputs: &[Input]) -> Vec<TensorId> {
        if self.candle > 0 {
            return vec![];
        }
        let ids = inputs.iter().filter_map(|input| if let Input::Variable(id) = input { Some(*id) } else { None });
        let waited = inputs.iter().any(|input| matches!(input, Input::Candle(_)));
        let ids: Vec<_> = if waited { self.uses.keys().copied().collect() } else { ids.collect() };
        ids.into_iter().filter(|id| self.uses.get(id) == Some(&0)).collect()
    }
}

fn backward<E: From<candle_core::Error>>(
    tape: Vec<Node>,
    loss: &Tensor,
    complete: &mut dyn FnMut(TensorId, Tensor) -> std::result::Result<(), E>,
) -> std::result::Result<(), E> {
    let mut found = Found::default();
    // Of the loss itself, where it is a result on the tape.
    found.extend(&loss.backward()?)?;
    let mut open = Open::of(&tape);
    for Node { inputs, output, backward } in tape.into_iter().rev() {
        // A result that nothing uses has no gradient.
        if let Some(gradient) = found.0.remove(&output) {
            for (input, gradient) in inputs.iter().zip(backward(&gradient)?) {
                match (input, gradient) {
                    (Input::Nowhere, _) | (_, None) => {}
                    (Input::Variable(id), Some(gradient)) => found.add(*id, &gradient)?,
                    // The gradient of `sum(input gradient)` is what candle makes of `gradient`.
                    (Input::Candle(input), Some(gradient)) => {
                        found.extend(&(input * gradient.detach())?.sum_all()?.backward()?)?;
                    }
                }
            }
        }
        inputs.iter().for_each(|input| open.pass(input));
        for id in open.complete(&inputs) {
            if let Some(gradient) = found.0.remove(&id) {
                complete(id, gradient)?;
            }
        }
    }
    found.0.into_iter().try_for_each(|(id, gradient)| complete(id, gradient))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{distance, random};
    use candle_core::{CpuStorage, Var};

    thread_local! {
        static MARKS: RefCell<Vec<&'static str>> = const { RefCell::new(vec![]) };
    }

    /// `factor x`, elementwise.
    fn scaled(x: &Tensor, factor: f64) -> Result<Tensor> {
        let values = (x * factor)?.flatten_all()?.to_vec1::<f32>()?;
        Ok(node(&[x], Storage::Cpu(CpuStorage::F32(values)), x.shape(), move |g| Ok(vec![Some((g * factor)?)])))
    }

    fn variable(seed: u64) -> Var {
        Var::from_tensor(&random(&[4], seed)).unwrap()
    }

    #[test]
    fn gradients_of_a_tensor_used_twice_add_up() {
        let x = variable(1);
        let (store, ()) = differentiate(|| {
            let y = scaled(&x, 3.0)?;
            let sum = (scaled(&y, 2.0)? + scaled(&y, 5.0)?)?;
            Ok::<_, candle_core::Error>(((sum + scaled(&x, 7.0)?)?.sum_all()?, ()))
        })
        .unwrap();
        assert_eq!(store.get(&x).unwrap().to_vec1::<f32>().unwrap(), [28.0; 4]);
        assert_eq!(store.get_ids().count(), 1, "only parameters are left");
    }

    #[test]
    fn operations_of_candle_may_stand_between() {
        let (x, w) = (variable(1), variable(2));
        let f = |scaled: &dyn Fn(&Tensor, f64) -> Result<Tensor>| {
            let y = (scaled(&x, 3.0)? * w.as_tensor())?.sqr()?;
            let z = scaled(&y, 0.5)?;
            (z * scaled(&w, 2.0)?)?.sum_all()
        };
        let (found, ()) = differentiate(|| Ok::<_, candle_core::Error>((f(&scaled)?, ()))).unwrap();
        let expected = f(&|x, factor| x * factor).unwrap().backward().unwrap();
        for var in [&x, &w] {
            assert!(distance(found.get(var).unwrap(), expected.get(var).unwrap()) < 1e-5);
        }
    }

    #[test]
    fn a_loss_on_the_tape_and_an_input_without_gradient() {
        let (x, constant) = (variable(1), random(&[4], 2));
        let sum = |x: &Tensor| -> Result<Tensor> {
            let total = x.sum_all()?.to_scalar::<f32>()?;
            let storage = Storage::Cpu(CpuStorage::F32(vec![total]));
            Ok(node(&[&constant, x], storage, (), |g| {
                let g = g.broadcast_as(4)?.contiguous()?;
                Ok(vec![Some(g.clone()), Some(g)])
            }))
        };
        let (store, value) = differentiate(|| Ok::<_, candle_core::Error>((sum(&scaled(&x, 2.0)?)?, "kept"))).unwrap();
        assert_eq!(store.get(&x).unwrap().to_vec1::<f32>().unwrap(), [2.0; 4]);
        assert_eq!((value, store.get_ids().count()), ("kept", 1));
    }

    #[test]
    fn gradients_are_handed_out_when_they_are_complete() {
        let [first, second, twice] = [1, 2, 3].map(variable);
        // Notes when the backward pass comes by.
        let marked = |x: &Tensor, with: &Tensor, mark: &'static str| {
            let values = (x + with).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
            node(&[x, with], Storage::Cpu(CpuStorage::F32(values)), x.shape(), move |g| {
                MARKS.with_borrow_mut(|marks| marks.push(mark));
                Ok(vec![Some(g.clone()), Some(g.clone())])
            })
        };
        let mut order = vec![];
        differentiate_into(
            || {
                let x = marked(&marked(&first, &twice, "a"), &second, "b");
                Ok::<_, candle_core::Error>((marked(&x, &twice, "c").sum_all()?, ()))
            },
            &mut |id, _| {
                let marks = MARKS.with_borrow(|marks| marks.join(""));
                let name = [(&first, "first"), (&second, "second"), (&twice, "twice")];
                let name = name.iter().find(|(var, _)| var.id() == id).map_or("?", |(_, name)| name);
                order.push(format!("{name} after {marks}"));
                Ok(())
            },
        )
        .unwrap();
        assert_eq!(order, ["second after cb", "first after cba", "twice after cba"]);
    }

    #[test]
    fn nothing_is_kept_outside_and_tapes_nest() {
        let x = variable(1);
        assert!(!scaled(&x, 2.0).unwrap().track_op());
        let (outer, inner) = differentiate(|| {
            let y = scaled(&x, 2.0)?;
            // As a thread that waits begins another part.
            let (inner, ()) = differentiate(|| Ok::<_, candle_core::Error>((scaled(&x, 3.0)?.sum_all()?, ())))?;
            Ok::<_, candle_core::Error>((scaled(&y, 5.0)?.sum_all()?, inner))
        })
        .unwrap();
        assert_eq!(inner.get(&x).unwrap().to_vec1::<f32>().unwrap(), [3.0; 4]);
        assert_eq!(outer.get(&x).unwrap().to_vec1::<f32>().unwrap(), [10.0; 4]);
        let failed = differentiate(|| Err::<(Tensor, ()), _>(candle_core::Error::Msg("no".into())));
        assert!(failed.is_err());
        assert!(!scaled(&x, 2.0).unwrap().track_op(), "a failure ends its tape");
    }
}
