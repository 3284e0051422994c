//! Products with weights: the projections, the feed-forward, the vocabulary.

use std::hint::black_box;

use criterion::{Criterion, Throughput};
use distil_kernels::layout::{
    Group, Layout, group_count, pack_f32, pack_groups, pack_int3, pack_int4, pack_int8, packed_len_f32,
    packed_len_int3, packed_len_int4, packed_len_int8,
};
use distil_kernels::{Epilogue, Kernels, Matrix, Scales};

use crate::{HIDDEN, INTERMEDIATE, Rows, TOKENS, VOCABULARY, kernels_for, painted};

/// bfloat16 1 / 128.
const SCALE: u16 = 0x3c00;

pub(crate) fn benches(c: &mut Criterion) {
    let uses = [
        ("attention projection", HIDDEN, HIDDEN, Epilogue::Store),
        ("feed-forward in", INTERMEDIATE, HIDDEN, Epilogue::Gelu),
        ("feed-forward out", HIDDEN, INTERMEDIATE, Epilogue::Add),
    ];
    for (use_of, n, k, epilogue) in uses {
        for weights in ["int8", "int4", "int3", "f32"] {
            product(c, use_of, weights, (n, k, epilogue), &TOKENS, None);
        }
    }
    // The tied word table, row-major as embeddings are, for one masked word.
    for weights in ["int8", "int4", "int3"] {
        product(
            c,
            "vocabulary projection",
            weights,
            (VOCABULARY, HIDDEN, Epilogue::Store),
            &[1],
            Some(Layout::RowMajor),
        );
    }
}

/// One use with one kind of weights; in the layout that each instruction set likes best, unless it is given.
fn product(
    c: &mut Criterion,
    use_of: &str,
    weights: &str,
    (n, k, epilogue): (usize, usize, Epilogue),
    tokens: &[usize],
    layout: Option<Layout>,
) {
    let mut group = c.benchmark_group(format!("{use_of}, {weights}"));
    let mut owned: Option<Owned> = None;
    for kernels in Kernels::available() {
        let layout = layout.unwrap_or(if weights == "f32" { Layout::Tile16 } else { kernels.layout() });
        if owned.as_ref().is_none_or(|owned| owned.layout != layout) {
            owned = Some(Owned::new(weights, n, k, layout));
        }
        let matrix = owned.as_ref().expect("it has just been made").matrix(n, k);
        for &tokens in tokens {
            if !kernels_for(tokens).any(|other| other.isa() == kernels.isa()) {
                continue;
            }
            let rows = Rows::new(tokens, k);
            let mut out = vec![0.0; tokens * n];
            group.throughput(Throughput::Elements((tokens * n * k) as u64));
            group.bench_function(format!("{tokens} tokens, {}", kernels.isa()), |b| {
                b.iter(|| {
                    let (x, values, scales) = (black_box(&rows.floats), black_box(&rows.values), &rows.scales);
                    if matrix.is_integer() {
                        kernels.matmul_int8(values, scales, &matrix, 0..n, None, epilogue, &mut out, n);
                    } else {
                        kernels.matmul_f32(x, tokens, &matrix, 0..n, None, epilogue, &mut out, n);
                    }
                });
            });
        }
    }
}

/// The bytes of a matrix.
struct Owned {
    layout: Layout,
    int8: Vec<i8>,
    nibbles: Vec<u8>,
    three_bits: Vec<u8>,
    groups: Vec<u8>,
    floats: Vec<f32>,
    scales: Vec<u16>,
}

impl Owned {
    fn new(weights: &str, n: usize, k: usize, layout: Layout) -> Self {
        let shape = "the shape is small";
        let scales = vec![SCALE; n.next_multiple_of(16)];
        let (int8, nibbles, three_bits) = (Vec::new(), Vec::new(), Vec::new());
        let (groups, floats) = (Vec::new(), Vec::new());
        let mut owned = Self { layout, int8, nibbles, three_bits, groups, floats, scales };
        match weights {
            "int8" => {
                let rows: Vec<i8> = (0..n * k).map(|i| ((i % 251) as u8 as i8).max(-127)).collect();
                owned.int8 = vec![0; packed_len_int8(n, k, layout).expect(shape)];
                pack_int8(&rows, n, k, layout, &mut owned.int8).expect(shape);
            }
            "int4" | "int3" => {
                let group = Group::Of32;
                let rows: Vec<i8> = (0..n * k).map(|i| ((i * 7 + i / 251) % 16) as i8 - 8).collect();
                if weights == "int4" {
                    owned.nibbles = vec![0; packed_len_int4(n, k, group, layout).expect(shape)];
                    pack_int4(&rows, n, k, group, layout, &mut owned.nibbles).expect(shape);
                } else {
                    let odd: Vec<i8> = rows.iter().map(|q| q | 1).collect();
                    owned.three_bits = vec![0; packed_len_int3(n, k, layout).expect(shape)];
                    pack_int3(&odd, n, k, layout, &mut owned.three_bits).expect(shape);
                }
                let factors: Vec<u8> = (0..n * k.div_ceil(group.inputs())).map(|i| (i % 15) as u8 + 1).collect();
                owned.groups = vec![0; group_count(n, k, group, layout).expect(shape)];
                pack_groups(&factors, n, k, group, layout, &mut owned.groups).expect(shape);
            }
            _ => {
                owned.floats = vec![0.0; packed_len_f32(n, k, layout).expect(shape)];
                pack_f32(&painted(n * k), n, k, layout, &mut owned.floats).expect(shape);
            }
        }
        owned
    }

    fn matrix(&self, n: usize, k: usize) -> Matrix<'_> {
        let scales = Scales::Bf16(&self.scales);
        let matrix = if !self.int8.is_empty() {
            Matrix::int8(&self.int8, scales, n, k, self.layout)
        } else if !self.nibbles.is_empty() {
            Matrix::int4(&self.nibbles, &self.groups, Group::Of32, scales, n, k, self.layout)
        } else if !self.three_bits.is_empty() {
            Matrix::int3(&self.three_bits, &self.groups, scales, n, k, self.layout)
        } else {
            Matrix::float(&self.floats, n, k, self.layout)
        };
        matrix.expect("the lengths are those of the shape")
    }
}
