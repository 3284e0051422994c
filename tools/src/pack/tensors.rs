//! One tensor from float32 to its stored form, and back.

use distil_format::{Dtype, Layout, Role, Tensor as Packed, TensorData, TensorId};
use distil_kernels::layout::{self, Group};
use half::{bf16, f16};

use super::grid::Grid;
use super::grouped;
use super::quantize::{quantize_rows, search_rows, to_half};
use super::rounded::Rounded;
use crate::hf::{HeadWeights, Model, Tensor, Weights};

/// The source of a packed tensor; `None` if the model has no such tensor.
pub fn source(model: &Model, id: TensorId) -> Option<&Tensor> {
    let Weights { word, position, token_type, norm, layers, head } = &model.weights;
    let layer = layers.get(id.layer as usize)?;
    Some(match (id.role, head) {
        (Role::WordEmbedding, _) => word,
        (Role::PositionEmbedding, _) => position,
        (Role::TokenTypeEmbedding, _) => return token_type.as_ref(),
        (Role::EmbeddingNormWeight, _) => &norm.weight,
        (Role::EmbeddingNormBias, _) => &norm.bias,
        (Role::Query, _) => &layer.query.weight,
        (Role::QueryBias, _) => &layer.query.bias,
        (Role::Key, _) => &layer.key.weight,
        (Role::KeyBias, _) => &layer.key.bias,
        (Role::Value, _) => &layer.value.weight,
        (Role::ValueBias, _) => &layer.value.bias,
        (Role::AttentionOutput, _) => &layer.attention_output.weight,
        (Role::AttentionOutputBias, _) => &layer.attention_output.bias,
        (Role::AttentionNormWeight, _) => &layer.attention_norm.weight,
        (Role::AttentionNormBias, _) => &layer.attention_norm.bias,
        (Role::FeedForwardIn, _) => &layer.feed_forward_in.weight,
        (Role::FeedForwardInBias, _) => &layer.feed_forward_in.bias,
        (Role::FeedForwardOut, _) => &layer.feed_forward_out.weight,
        (Role::FeedForwardOutBias, _) => &layer.feed_forward_out.bias,
        (Role::OutputNormWeight, _) => &layer.output_norm.weight,
        (Role::OutputNormBias, _) => &layer.output_norm.bias,
        (Role::MlmTransform, HeadWeights::MaskedLm { transform, .. }) => &transform.weight,
        (Role::MlmTransformBias, HeadWeights::MaskedLm { transform, .. }) => &transform.bias,
        (Role::MlmNormWeight, HeadWeights::MaskedLm { norm, .. }) => &norm.weight,
        (Role::MlmNormBias, HeadWeights::MaskedLm { norm, .. }) => &norm.bias,
        (Role::MlmBias, HeadWeights::MaskedLm { bias, .. }) => bias,
        (Role::PreClassifier, HeadWeights::SequenceClassification { pre, .. }) => &pre.weight,
        (Role::PreClassifierBias, HeadWeights::SequenceClassification { pre, .. }) => &pre.bias,
        (Role::Classifier, HeadWeights::SequenceClassification { classifier, .. }) => &classifier.weight,
        (Role::ClassifierBias, HeadWeights::SequenceClassification { classifier, .. }) => &classifier.bias,
        (Role::Classifier, HeadWeights::TokenClassification { classifier }) => &classifier.weight,
        (Role::ClassifierBias, HeadWeights::TokenClassification { classifier }) => &classifier.bias,
        (Role::Span, HeadWeights::QuestionAnswering { span }) => &span.weight,
        (Role::SpanBias, HeadWeights::QuestionAnswering { span }) => &span.bias,
        _ => return None,
    })
}

/// Stores `tensor` in a type and layout: with the integers `rounded` if they are given, else each value rounded to the
/// nearest. Half precision becomes float32 where the values do not fit.
pub(super) fn store(
    id: TensorId,
    tensor: &Tensor,
    (dtype, layout): (Dtype, Layout),
    rounded: Option<&Rounded>,
) -> TensorData {
    match (dtype, rounded) {
        (Dtype::Int8, Some(rounded)) => int8(id, tensor, layout, rounded),
        (Dtype::Int8, None) => int8(id, tensor, layout, &round(tensor, dtype, None)),
        (Dtype::Int4G32 | Dtype::Int4G64 | Dtype::Int3G32, _) => match rounded {
            Some(rounded) => grouped(id, tensor, (dtype, layout), rounded),
            None => grouped(id, tensor, (dtype, layout), &round(tensor, dtype, None)),
        },
        (Dtype::F16, _) => half_or_float(id, tensor),
        (Dtype::F32, _) => float(id, tensor, layout),
    }
}

/// The integers next to a matrix's values; with `weights`, scales are searched so that an error at each column counts
/// by its weight.
///
/// # Panics
///
/// If `dtype` is a float type.
pub(crate) fn round(tensor: &Tensor, dtype: Dtype, weights: Option<&[f32]>) -> Rounded {
    match (group(dtype), weights) {
        (Some(group), _) => grouped::quantize_rows(&tensor.data, tensor.cols, (group, Grid::of(dtype)), weights),
        (None, Some(weights)) if dtype == Dtype::Int8 => search_rows(&tensor.data, tensor.cols, weights),
        (None, _) => {
            assert_eq!(dtype, Dtype::Int8, "integers only");
            quantize_rows(&tensor.data, tensor.cols)
        }
    }
}

/// Weights that share a factor; `None` for types without factors.
pub(crate) fn group(dtype: Dtype) -> Option<usize> {
    dtype.group()
}

fn int8(id: TensorId, tensor: &Tensor, layout: Layout, rounded: &Rounded) -> TensorData {
    let (rows, cols) = (tensor.rows, tensor.cols);
    let order = kernels_layout(layout);
    let mut values = vec![0; layout::packed_len_int8(rows, cols, order).expect("the source is in memory")];
    layout::pack_int8(&rounded.values, rows, cols, order, &mut values).expect("lengths follow from the shape");
    let scales = stored_scales(rounded.scales.clone(), layout);
    TensorData { id, dtype: Dtype::Int8, layout, data: bytemuck::cast_slice(&values).to_vec(), scales }
}

fn grouped(id: TensorId, tensor: &Tensor, (dtype, layout): (Dtype, Layout), rounded: &Rounded) -> TensorData {
    let (rows, cols, group, order) = (tensor.rows, tensor.cols, kernels_group(dtype), kernels_layout(layout));
    let len = |len: Option<usize>| len.expect("the source is in memory");
    let three = dtype == Dtype::Int3G32;
    let elements = len(if three {
        layout::packed_len_int3(rows, cols, order)
    } else {
        layout::packed_len_int4(rows, cols, group, order)
    });
    let factors = len(layout::group_count(rows, cols, group, order));
    let mut data = vec![0; elements + factors];
    let (elements, factors) = data.split_at_mut(elements);
    let packed = if three {
        layout::pack_int3(&rounded.values, rows, cols, order, elements)
    } else {
        layout::pack_int4(&rounded.values, rows, cols, group, order, elements)
    };
    packed
        .and_then(|()| layout::pack_groups(&rounded.factors, rows, cols, group, order, factors))
        .expect("lengths follow from the shape");
    TensorData { id, dtype, layout, data, scales: stored_scales(rounded.scales.clone(), layout) }
}

/// The scales' bytes; tiles have one for each of their padding rows too.
fn stored_scales(mut scales: Vec<bf16>, layout: Layout) -> Vec<u8> {
    if layout.tile().is_some() {
        scales.resize(scales.len().next_multiple_of(layout::TILE), bf16::ONE);
    }
    scales.iter().flat_map(|scale| scale.to_le_bytes()).collect()
}

fn float(id: TensorId, tensor: &Tensor, layout: Layout) -> TensorData {
    let (rows, cols) = (tensor.rows, tensor.cols);
    let order = kernels_layout(layout);
    let mut values = vec![0.0; layout::packed_len_f32(rows, cols, order).expect("the source is in memory")];
    layout::pack_f32(&tensor.data, rows, cols, order, &mut values).expect("lengths follow from the shape");
    let data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    TensorData { id, dtype: Dtype::F32, layout, data, scales: Vec::new() }
}

fn half_or_float(id: TensorId, tensor: &Tensor) -> TensorData {
    match to_half(&tensor.data) {
        None => float(id, tensor, Layout::RowMajor),
        Some(halves) => {
            let data = halves.iter().flat_map(|half| half.to_le_bytes()).collect();
            TensorData { id, dtype: Dtype::F16, layout: Layout::RowMajor, data, scales: Vec::new() }
        }
    }
}

/// The values of a stored tensor as float32, row by row.
pub fn unpack(tensor: &Packed<'_>) -> Vec<f32> {
    const CHECKED: &str = "checked when the file was opened";
    let (rows, cols, order) = (tensor.rows, tensor.cols, kernels_layout(tensor.layout));
    match tensor.dtype {
        Dtype::F32 => {
            let stored: Vec<f32> = tensor.data.as_chunks().0.iter().map(|word| f32::from_le_bytes(*word)).collect();
            let mut values = vec![0.0; rows * cols];
            layout::unpack_f32(&stored, rows, cols, order, &mut values).expect(CHECKED);
            values
        }
        Dtype::F16 => tensor.data.as_chunks().0.iter().map(|pair| f16::from_le_bytes(*pair).to_f32()).collect(),
        Dtype::Int8 => {
            let mut values = vec![0; rows * cols];
            layout::unpack_int8(bytemuck::cast_slice(tensor.data), rows, cols, order, &mut values).expect(CHECKED);
            scaled(&values, tensor)
        }
        Dtype::Int4G32 | Dtype::Int4G64 | Dtype::Int3G32 => {
            let group = kernels_group(tensor.dtype);
            let groups = cols.div_ceil(group.inputs());
            let (mut values, mut factors) = (vec![0; rows * cols], vec![0; rows * groups]);
            let (elements, stored) = tensor.grouped().expect(CHECKED);
            let unpacked = match tensor.dtype {
                Dtype::Int3G32 => layout::unpack_int3(elements, rows, cols, order, &mut values),
                _ => layout::unpack_int4(elements, rows, cols, group, order, &mut values),
            };
            unpacked
                .and_then(|()| layout::unpack_groups(stored, rows, cols, group, order, &mut factors))
                .expect(CHECKED);
            for (row, factors) in values.chunks_exact_mut(cols).zip(factors.chunks_exact(groups)) {
                for (group, &factor) in row.chunks_mut(group.inputs()).zip(factors) {
                    // -8 x 15 at most.
                    group.iter_mut().for_each(|value| *value *= factor as i8);
                }
            }
            scaled(&values, tensor)
        }
    }
}

/// Integer weights, row by row, times the scale of their row.
fn scaled(values: &[i8], tensor: &Packed<'_>) -> Vec<f32> {
    let scales = tensor.scales.as_chunks().0.iter().map(|pair| bf16::from_le_bytes(*pair).to_f32());
    let rows = values.chunks_exact(tensor.cols).zip(scales);
    rows.flat_map(|(row, scale)| row.iter().map(move |&value| f32::from(value) * scale)).collect()
}

fn kernels_layout(layout: Layout) -> layout::Layout {
    match layout {
        Layout::RowMajor => layout::Layout::RowMajor,
        Layout::Tile16 => layout::Layout::Tile16,
        Layout::Tile8 => layout::Layout::Tile8,
        Layout::Tile4 => layout::Layout::Tile4,
    }
}

fn kernels_group(dtype: Dtype) -> Group {
    if dtype == Dtype::Int4G64 { Group::Of64 } else { Group::Of32 }
}
