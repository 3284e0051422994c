//! One tensor from float32 to its stored form, and back.

use distil_format::{Dtype, Layout, Role, RoleKind, Tensor as Packed, TensorData, TensorId};
use distil_kernels::layout;
use half::{bf16, f16};

use super::Storage;
use super::quantize::{quantize_rows, to_half};
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
        _ => return None,
    })
}

/// Stores `tensor` the way its role asks: tables row by row, matrices in tiles, both in the storage asked for; biases in
/// half precision where they fit, unless everything stays float32; token types and normalizations in float32.
pub(super) fn store(id: TensorId, tensor: &Tensor, storage: Storage) -> TensorData {
    let (kind, Storage { weights, embeddings }) = (id.role.kind(), storage);
    match kind {
        // Two rows, one of which is added to every token: exact for a few kilobytes.
        RoleKind::Table if id.role == Role::TokenTypeEmbedding => float(id, tensor, Layout::RowMajor),
        RoleKind::Table if embeddings == Dtype::Int8 => int8(id, tensor, Layout::RowMajor),
        RoleKind::Table => float(id, tensor, Layout::RowMajor),
        RoleKind::Matrix if weights == Dtype::Int8 => int8(id, tensor, Layout::Tile16),
        RoleKind::Matrix => float(id, tensor, Layout::Tile16),
        RoleKind::Bias if weights == Dtype::Int8 => half_or_float(id, tensor),
        RoleKind::Bias | RoleKind::Norm => float(id, tensor, Layout::RowMajor),
    }
}

fn int8(id: TensorId, tensor: &Tensor, layout: Layout) -> TensorData {
    let (rows, cols) = (tensor.rows, tensor.cols);
    let quantized = quantize_rows(&tensor.data, cols);
    let order = kernels_layout(layout);
    let mut values = vec![0; layout::packed_len_int8(rows, cols, order).expect("the source is in memory")];
    layout::pack_int8(&quantized.values, rows, cols, order, &mut values).expect("lengths follow from the shape");
    let mut scales = quantized.scales;
    if layout == Layout::Tile16 {
        scales.resize(rows.next_multiple_of(layout::TILE), bf16::ONE);
    }
    let scales = scales.iter().flat_map(|scale| scale.to_le_bytes()).collect();
    TensorData { id, dtype: Dtype::Int8, layout, data: bytemuck::cast_slice(&values).to_vec(), scales }
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
    let (rows, cols, order) = (tensor.rows, tensor.cols, kernels_layout(tensor.layout));
    match tensor.dtype {
        Dtype::F32 => {
            let stored: Vec<f32> = tensor.data.as_chunks().0.iter().map(|word| f32::from_le_bytes(*word)).collect();
            let mut values = vec![0.0; rows * cols];
            layout::unpack_f32(&stored, rows, cols, order, &mut values).expect("checked when the file was opened");
            values
        }
        Dtype::F16 => tensor.data.as_chunks().0.iter().map(|pair| f16::from_le_bytes(*pair).to_f32()).collect(),
        Dtype::Int8 => {
            let mut values = vec![0; rows * cols];
            layout::unpack_int8(bytemuck::cast_slice(tensor.data), rows, cols, order, &mut values)
                .expect("checked when the file was opened");
            scaled(&values, tensor)
        }
        Dtype::Int4G32 | Dtype::Int4G64 => {
            let group = if tensor.dtype == Dtype::Int4G32 { layout::Group::Of32 } else { layout::Group::Of64 };
            let (mut values, mut factors) = (vec![0; rows * cols], vec![0; rows * cols.div_ceil(group.inputs())]);
            let checked = "checked when the file was opened";
            let nibbles = layout::packed_len_int4(rows, cols, group, order).expect(checked);
            let (nibbles, groups) = tensor.data.split_at(nibbles);
            layout::unpack_int4(nibbles, rows, cols, group, order, &mut values).expect(checked);
            layout::unpack_groups(groups, rows, cols, group, order, &mut factors).expect(checked);
            let rows = values.chunks_exact_mut(cols).zip(factors.chunks_exact(cols.div_ceil(group.inputs())));
            for (row, factors) in rows {
                for (group, &factor) in row.chunks_mut(group.inputs()).zip(factors) {
                    group.iter_mut().for_each(|q| *q *= factor as i8);
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
