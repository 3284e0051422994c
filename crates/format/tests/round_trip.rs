//! What is written is read back, and wrong input is refused by its name.

mod common;

use common::{PIECES, STORED, Stored, config, file, labels, tensors};
use distil_format::{
    AlignedBytes, Artifact, ConfigError, Dtype, Head, Layout, OpenError, Role, SectionKind, TensorError, TensorId,
    WriteError, build_vocabulary, write, xxh32,
};

#[test]
fn every_part_comes_back() {
    for &head in Head::ALL {
        for stored in STORED {
            let config = config(head);
            let bytes = AlignedBytes::copy_of(&file(head, stored));
            let artifact = Artifact::open(&bytes).expect("the file opens");
            assert_eq!(*artifact.config(), config);
            assert_eq!(artifact.len(), bytes.len());
            let written = tensors(&config, stored);
            assert_eq!(artifact.tensors().count(), written.len());
            for (i, tensor) in written.iter().enumerate() {
                let read = artifact.tensor(tensor.id.role, tensor.id.layer).expect("the tensor is there");
                assert_eq!(artifact.tensors().nth(i), Some(read));
                assert_eq!(config.index_of(tensor.id), Some(i));
                assert_eq!((read.rows, read.cols), config.shape(tensor.id));
                assert_eq!((read.dtype, read.layout), (tensor.dtype, tensor.layout));
                assert_eq!(read.data, tensor.data, "{}", tensor.id);
                assert_eq!(read.scales, tensor.scales, "{}", tensor.id);
                assert!(read.data.as_ptr().addr().is_multiple_of(64));
                assert_eq!(read.grouped().is_some(), read.dtype.group().is_some());
                if let (Some((elements, factors)), Some(group)) = (read.grouped(), read.dtype.group()) {
                    let rows = if read.layout.tile().is_some() { read.rows.next_multiple_of(16) } else { read.rows };
                    assert_eq!(elements.len(), rows * read.cols.next_multiple_of(group) / 8 * read.dtype.bits());
                    assert_eq!(factors.len(), rows * read.cols.div_ceil(group));
                    assert!(elements.len().is_multiple_of(4 * read.dtype.bits()));
                }
                assert!(read.scales.is_empty() || read.scales.as_ptr().addr().is_multiple_of(64));
            }
            assert_eq!(artifact.tensor(Role::Query, 1), None);
            assert_eq!(artifact.tensor(Role::WordEmbedding, 1), None);
            for (role, heads) in [
                (Role::MlmBias, &[Head::MaskedLm][..]),
                (Role::PreClassifier, &[Head::SequenceClassification]),
                (Role::Classifier, &[Head::SequenceClassification, Head::TokenClassification]),
                (Role::Span, &[Head::QuestionAnswering]),
            ] {
                assert_eq!(artifact.tensor(role, 0).is_some(), heads.contains(&head), "{head} {role}");
            }
            for (i, label) in labels(&config).iter().enumerate() {
                assert_eq!(artifact.label(i), Some(label.as_str()));
            }
            assert_eq!(artifact.label(config.labels as usize), None);
            assert_eq!(artifact.label(usize::MAX), None);
            assert_eq!(artifact.vocabulary().len(), PIECES.len());
            assert_eq!(artifact.manifest(), b"\xa1\x61a\x01");
            let (kinds, ranges): (Vec<_>, Vec<_>) = artifact.sections().unzip();
            assert_eq!(kinds, SectionKind::ALL);
            assert_eq!(ranges.last().map(|range| range.end), Some(bytes.len()));
        }
    }
}

#[test]
fn the_order_of_the_input_does_not_matter() {
    let config = config(Head::MaskedLm);
    let vocabulary = build_vocabulary(PIECES).expect("a good vocabulary");
    let mut backwards = tensors(&config, Stored::Int8);
    backwards.reverse();
    let bytes = write(&config, backwards, &vocabulary, &[], b"\xa1\x61a\x01");
    assert_eq!(bytes, Ok(file(Head::MaskedLm, Stored::Int8)));
}

/// The format cannot change unnoticed: a change here is a new version in SPEC.md.
#[test]
fn golden_bytes() {
    let seen = STORED.map(|stored| {
        let bytes = file(Head::SequenceClassification, stored);
        (bytes.len(), xxh32(&bytes, 0))
    });
    assert_eq!(seen, GOLDEN);
}
const GOLDEN: [(usize, u32); 8] = [
    (6852, 474283532),
    (8836, 311233329),
    (8644, 520729860),
    (11204, 146870421),
    (8644, 1207972752),
    (8068, 2872957213),
    (8068, 1557427490),
    (9412, 2647767074),
];

#[test]
fn an_address_that_is_no_multiple_of_64_is_refused() {
    let file = file(Head::Embedding, Stored::Int8);
    let mut bytes = AlignedBytes::zeroed(file.len() + 4);
    bytes[4..].copy_from_slice(&file);
    assert_eq!(Artifact::open(&bytes[4..]).map(|_| ()), Err(OpenError::Misaligned));
}

#[test]
fn writing_says_what_is_wrong() {
    let good = config(Head::SequenceClassification);
    let vocabulary = build_vocabulary(PIECES).expect("a good vocabulary");
    let names = labels(&good);
    let all = || tensors(&good, Stored::Int8);
    let attempt = |tensors| write(&good, tensors, &vocabulary, &names, b"").map(|_| ());
    assert_eq!(attempt(all()), Ok(()));

    let id = |role| TensorId { role, layer: 0 };
    let mut missing = all();
    missing.retain(|tensor| tensor.id.role != Role::KeyBias);
    assert_eq!(attempt(missing), Err(WriteError::MissingTensor(id(Role::KeyBias))));
    let mut repeated = all();
    repeated.push(repeated[3].clone());
    assert_eq!(attempt(repeated.clone()), Err(WriteError::RepeatedTensor(repeated[3].id)));
    let mut unexpected = all();
    unexpected[0].id.role = Role::MlmBias;
    assert_eq!(attempt(unexpected), Err(WriteError::UnexpectedTensor(id(Role::MlmBias))));

    let alter = |role: Role, change: &dyn Fn(&mut distil_format::TensorData)| {
        let mut tensors = all();
        let tensor = tensors.iter_mut().find(|tensor| tensor.id.role == role).expect("the tensor is there");
        change(tensor);
        match attempt(tensors) {
            Err(WriteError::Tensor { id, error }) if id.role == role => error,
            other => panic!("{role}: {other:?}"),
        }
    };
    let word = Role::WordEmbedding;
    assert!(matches!(alter(word, &|t| t.data.truncate(3)), TensorError::DataLength { found: 3, .. }));
    assert!(matches!(alter(word, &|t| t.scales.clear()), TensorError::ScalesLength { found: 0, .. }));
    assert!(matches!(alter(word, &|t| t.dtype = Dtype::F16), TensorError::Storage { .. }));
    assert_eq!(alter(word, &|t| t.data[7] = 0x80), TensorError::Element { at: 7 });
    // Zero, negative, infinite, NaN, too small, too large: bfloat16 bits.
    for scale in [0x0000_u16, 0xBF80, 0x7F80, 0x7FC0, 0x2100, 0x5E00] {
        let error = alter(word, &|t| t.scales[2..4].copy_from_slice(&scale.to_le_bytes()));
        assert_eq!(error, TensorError::Scale { row: 1 }, "{scale:#x}");
    }
    let query = Role::Query;
    assert_eq!(alter(query, &|t| t.scales[30] = 0), TensorError::Scale { row: 15 });
    // 6 x 6 in tiles of 16 x 4: input 6 of channel 0, and channel 6 of input 0, are padding.
    for padding in [64 + 2, 6 * 4, 127] {
        assert_eq!(alter(query, &|t| t.data[padding] = 1), TensorError::TilePadding);
    }
    let int4 = |layout| {
        move |tensor: &mut distil_format::TensorData| {
            *tensor = common::tensor(&config(Head::SequenceClassification), tensor.id, Dtype::Int4G32, layout);
        }
    };
    // 6 x 6 with groups of 32: input 6 of channel 0 and channel 6 of input 0, in the low and in the high nibbles; then the factors of 16 rows, of which 6 are real.
    for (layout, padding) in
        [(Layout::Tile16, [64, 6 * 4, 127]), (Layout::Tile8, [6, 6 * 8, 7]), (Layout::Tile4, [6, 64 + 2 * 16, 15])]
    {
        for at in padding {
            for value in [0x10, 0x01] {
                let error = alter(query, &|t| {
                    int4(layout)(t);
                    t.data[at] ^= value;
                });
                assert_eq!(error, TensorError::TilePadding, "{layout} {at} {value:#x}");
            }
        }
        for (row, factor) in [(0, 0), (5, 16), (5, 255), (6, 0), (6, 2), (15, 15)] {
            let error = alter(query, &|t| {
                int4(layout)(t);
                let nibbles = t.data.len() - 16;
                t.data[nibbles + row] = factor;
            });
            assert_eq!(error, TensorError::Group { at: row }, "{layout} {factor}");
        }
    }
    for (at, value, expected) in [
        (6, 0x01, TensorError::TilePadding),
        (0, 0x10, TensorError::TilePadding),
        (25 * 16 + 24, 0, TensorError::Group { at: 24 }),
        (25 * 16, 16, TensorError::Group { at: 0 }),
    ] {
        let error = alter(word, &|t| {
            int4(Layout::RowMajor)(t);
            assert_eq!(t.data.len(), 25 * 17);
            t.data[at] = value;
        });
        assert_eq!(error, expected);
    }
    let refused: [(Role, Dtype, Layout); 6] = [
        (word, Dtype::Int8, Layout::Tile16),
        (word, Dtype::Int4G32, Layout::Tile4),
        (query, Dtype::Int8, Layout::RowMajor),
        (query, Dtype::Int4G64, Layout::RowMajor),
        (query, Dtype::F32, Layout::Tile8),
        (Role::QueryBias, Dtype::Int4G32, Layout::RowMajor),
    ];
    for (role, dtype, layout) in refused {
        let error = alter(role, &|t| (t.dtype, t.layout) = (dtype, layout));
        assert_eq!(error, TensorError::Storage { dtype, layout });
    }
    for bits in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        assert_eq!(
            alter(Role::OutputNormBias, &|t| t.data[8..12].copy_from_slice(&bits.to_le_bytes())),
            TensorError::NotFinite { at: 2 }
        );
    }
    for bits in [0x7C00_u16, 0xFC00, 0x7E01] {
        assert_eq!(
            alter(Role::QueryBias, &|t| t.data[2..4].copy_from_slice(&bits.to_le_bytes())),
            TensorError::NotFinite { at: 1 }
        );
    }

    assert_eq!(
        write(&good, all(), &vocabulary, &names[1..], b""),
        Err(WriteError::LabelCount { expected: 3, found: 2 })
    );
    assert!(matches!(write(&good, all(), &vocabulary[1..], &names, b""), Err(WriteError::Vocabulary(_))));
}

#[test]
fn configurations_are_checked() {
    let with = |change: &dyn Fn(&mut distil_format::Config)| {
        let mut config = config(Head::Embedding);
        change(&mut config);
        config.validate()
    };
    assert_eq!(with(&|_| ()), Ok(()));
    for (field, change) in [
        ("hidden", (|c| c.hidden = 8193) as fn(&mut distil_format::Config)),
        ("layers", |c| c.layers = 25),
        ("layers", |c| c.layers = 0),
        ("heads", |c| c.heads = 0),
        ("intermediate", |c| c.intermediate = 32_769),
        ("vocab_size", |c| c.vocab_size = (1 << 20) + 1),
        ("max_positions", |c| c.max_positions = u32::MAX),
        ("type_vocab", |c| c.type_vocab = 257),
        ("labels", |c| c.labels = 1 << 17),
    ] {
        assert!(matches!(with(&change), Err(ConfigError::Range { field: f, .. }) if f == field), "{field}");
    }
    assert!(matches!(with(&|c| c.heads = 4), Err(ConfigError::Heads { .. })));
    assert!(matches!(with(&|c| c.labels = 2), Err(ConfigError::Labels { .. })));
    for eps in [0.0, -1e-12, f32::NAN, f32::INFINITY, 1e-40, 2.0] {
        assert!(matches!(with(&|c| c.layer_norm_eps = eps), Err(ConfigError::Epsilon(_))));
    }
    assert!(matches!(with(&|c| c.mask_id = c.vocab_size), Err(ConfigError::SpecialToken { token: "mask", .. })));
}

#[test]
fn names_are_read_and_written() {
    assert_eq!(Head::MaskedLm.to_string(), "masked-lm");
    assert_eq!("masked-lm".parse(), Ok(Head::MaskedLm));
    assert_eq!(Dtype::Int8.to_string(), "int8");
    assert_eq!(Layout::Tile16.to_string(), "tile16");
    for (code, name) in ["f32", "f16", "int8", "int4g32", "int4g64", "int3g32"].into_iter().enumerate() {
        assert_eq!(Dtype::from_code(code as u8).map(Dtype::name), Some(name));
    }
    for (code, name) in ["row-major", "tile16", "tile8", "tile4"].into_iter().enumerate() {
        assert_eq!(Layout::from_code(code as u8).map(Layout::name), Some(name));
    }
    let id = TensorId { role: Role::QueryBias, layer: 3 };
    assert_eq!(id.to_string(), "layer.3.query-bias");
    let error = "mean,".parse::<distil_format::Pooling>().expect_err("no such pooling");
    assert_eq!(error.to_string(), "unknown pooling; use one of mean, cls");
    for &role in Role::ALL {
        assert_eq!(Role::from_code(role.code()), Some(role));
        assert_eq!(role.name().parse(), Ok(role));
    }
    assert_eq!(Role::from_code(Role::ALL.len() as u8), None);
}

/// DistilBERT with 66 million parameters and a two-way classifier, with BERT's vocabulary; everything int8 that may be, then everything int4, then int3.
#[test]
fn distilbert_has_the_bytes_it_should() {
    let Some(path) = common::shared("data/vocab/vocab.txt") else {
        return;
    };
    let text = std::fs::read_to_string(path).expect("a readable file");
    let pieces: Vec<&str> = text.lines().collect();
    let config = distil_format::Config {
        architecture: distil_format::Architecture::DistilBert,
        hidden: 768,
        layers: 6,
        heads: 12,
        intermediate: 3072,
        vocab_size: 30_522,
        max_positions: 512,
        type_vocab: 0,
        labels: 2,
        pad_id: 0,
        unk_id: 100,
        cls_id: 101,
        sep_id: 102,
        mask_id: 103,
        ..config(Head::SequenceClassification)
    };
    let parameters: usize = config.tensor_ids().map(|id| config.shape(id)).map(|(rows, cols)| rows * cols).sum();
    assert_eq!(parameters, 66_955_010);
    let vocabulary = build_vocabulary(&pieces).expect("a good vocabulary");
    let names = ["negative".to_owned(), "positive".to_owned()];
    for (stored, most) in [
        (Stored::Int8, 67_500_000),
        (Stored::Int4(Dtype::Int4G32, Layout::Tile8), 37_500_000),
        (Stored::Int4(Dtype::Int3G32, Layout::Tile4), 29_000_000),
    ] {
        let bytes = write(&config, tensors(&config, stored), &vocabulary, &names, &[0; 8192]).expect("a good model");
        eprintln!("DistilBERT, {stored:?}: {} bytes", bytes.len());
        assert!(bytes.len() <= most, "{} bytes", bytes.len());
        let bytes = AlignedBytes::copy_of(&bytes);
        let start = std::time::Instant::now();
        let artifact = Artifact::open(&bytes).expect("the file opens");
        eprintln!("opened in {:?}", start.elapsed());
        assert_eq!(artifact.tensors().count(), config.tensor_count());
        assert_eq!(artifact.vocabulary().get("[MASK]"), Some(config.mask_id));
        let quick = |_| {
            let start = std::time::Instant::now();
            assert!(Artifact::open_unverified(&bytes).is_ok());
            start.elapsed()
        };
        let quickest = (0..50).map(quick).min().expect("fifty runs");
        eprintln!("opened by its structure in {quickest:?}");
        assert!(quickest < std::time::Duration::from_micros(100), "{quickest:?}");
    }
}
