//! What the fuzzer calls: each function takes any bytes and panics if a promise is broken.

use std::cell::RefCell;

use distil_format::{
    AlignedBytes, Architecture, Artifact, Config, Dtype, Head, Layout, Pooling, Problem, Role, RoleKind,
    build_vocabulary, write,
};
use distil_runtime::{PackedVocabulary, Plan};
use distil_tokenizer::{Settings, Token, Tokenizer};

use crate::change::forge;
use crate::input::Input;
use crate::run::Runner;
use crate::tensor::tensor;
use crate::uses::{rewritten, use_all};

/// What takes any bytes.
pub type Target = fn(&[u8]);

/// Every target with its name.
pub const ALL: [(&str, Target); 4] = [("open", open), ("run", run), ("tokenize", tokenize), ("write", write_files)];

/// Opens a file, in full and by its structure alone, and uses all that it offers.
pub fn open(input: &[u8]) {
    let forged = forge(input);
    let opened = Artifact::open(&forged.bytes);
    let quick = Artifact::open_unverified(&forged.bytes);
    match (&opened, &quick) {
        (Ok(artifact), Ok(quick)) => {
            assert_eq!(quick.verify(), Ok(()));
            use_all(artifact, true);
        }
        (Err(error), Ok(quick)) => {
            assert_eq!(quick.verify(), Err(*error));
            use_all(quick, false);
        }
        (Err(error), Err(_)) => assert!(!error.to_string().is_empty()),
        (Ok(_), Err(error)) => panic!("opened in full, but not by its structure: {error}"),
    }
}

/// Opens a file in full, or else by its structure, and runs it with the plain kernels in a fixed arena, on a bounded
/// number of tokens. What was verified gives finite answers with the same bits for every plan, or an error.
pub fn run(input: &[u8]) {
    thread_local!(static RUNNER: RefCell<Runner> = RefCell::default());
    let mut forged = forge(input);
    let text = forged.rest.text(64);
    let (artifact, verified) = match (Artifact::open(&forged.bytes), Artifact::open_unverified(&forged.bytes)) {
        (Ok(artifact), _) => (artifact, true),
        (Err(_), Ok(artifact)) => (artifact, false),
        (Err(_), Err(_)) => return,
    };
    RUNNER.with_borrow_mut(|runner| {
        let texts = [(&*text, None), (&*text, Some("é [MASK]"))];
        // Interpreted, every text takes seconds.
        let texts = &texts[..if cfg!(miri) { 1 } else { 2 }];
        let large = runner.answers(&artifact, texts, Plan::LARGE, 0xFF);
        if verified {
            let small = runner.answers(&artifact, texts, Plan::SMALL, 0);
            assert!(large.is_none() || small.is_none() || large == small, "a plan changed the answers");
        }
    });
}

/// Cuts any text into tokens, with any vocabulary and any settings.
pub fn tokenize(input: &[u8]) {
    let mut forged = forge(input);
    let Ok(artifact) = Artifact::open_unverified(&forged.bytes) else { return };
    let (switches, vocabulary) = (forged.rest.byte(), artifact.vocabulary());
    let settings = Settings {
        lowercase: switches & 1 != 0,
        strip_accents: switches & 2 != 0,
        split_cjk: switches & 4 != 0,
        pad: 0,
        unk: 1,
        cls: 2,
        sep: 3,
        mask: 4,
    };
    let tokenizer = Tokenizer::new(PackedVocabulary(vocabulary), settings);
    let text = forged.rest.text(1 << 12);
    let mut all = vec![Token::default(); text.len() + 1];
    let count = tokenizer.tokenize(&text, &mut all).expect("a token has at least a byte");
    let ids = vocabulary.len().max(5);
    let mut last = 0;
    for token in &all[..count] {
        let (start, end) = (token.start as usize, token.end as usize);
        assert!((token.id as usize) < ids);
        assert!(last <= start && start <= end && end <= text.len(), "{last} {start} {end} of {}", text.len());
        assert!(text.is_char_boundary(start) && text.is_char_boundary(end));
        last = start;
    }
    // With less room: the first of them, and the news that there are more.
    let mut few = [Token::default(); 3];
    match tokenizer.tokenize(&text, &mut few) {
        Ok(fitted) => assert_eq!(few[..fitted], all[..count]),
        Err(error) => assert_eq!((few[..error.fitted].to_vec(), error.fitted), (all[..3].to_vec(), 3)),
    }
}

/// Writes a file: from what was read of another, which gives the same bytes, or from parts that may be wrong. What is
/// written opens, and holds what was given.
pub fn write_files(input: &[u8]) {
    let mut choices = Input(input);
    if choices.byte().is_multiple_of(2) {
        let forged = forge(choices.0);
        if let Ok(artifact) = Artifact::open(&forged.bytes) {
            assert_eq!(rewritten(&artifact), forged.bytes[..]);
        }
        return;
    }
    let config = any_config(&mut choices);
    if config.validate().is_err() {
        let vocabulary = build_vocabulary(&["a"]).expect("a good vocabulary");
        assert!(write(&config, Vec::new(), &vocabulary, &[], &[]).is_err());
        return;
    }
    let names = |choices: &mut Input<'_>, count: usize| {
        (0..count)
            .map(|_| {
                let len = usize::from(choices.byte() % 12);
                choices.text(len)
            })
            .collect::<Vec<_>>()
    };
    let labels = names(&mut choices, config.labels as usize);
    let count = usize::from(choices.byte() % 24);
    let pieces = names(&mut choices, count);
    let scale = choices.number() as u16;
    let storages = choices.take(8);
    let numbers = choices.take(16).to_vec();
    let tensors: Vec<_> = config
        .tensor_ids()
        .enumerate()
        .map(|(at, id)| {
            let storage = storages.get(at % 8).copied().unwrap_or(0);
            let value =
                |row: usize, col: usize| numbers.get((row * 5 + col) % 16).copied().unwrap_or(7_u8).cast_signed();
            tensor(&config, id, any_storage(id.role, storage), scale, value)
        })
        .collect();
    let manifest = choices.take(32);
    let Ok(vocabulary) = build_vocabulary(&pieces) else { return };
    let Ok(bytes) = write(&config, tensors.clone(), &vocabulary, &labels, manifest) else { return };
    let bytes = AlignedBytes::copy_of(&bytes);
    let artifact = Artifact::open(&bytes).expect("what is written opens");
    use_all(&artifact, true);
    assert_eq!(*artifact.config(), config);
    assert_eq!(artifact.manifest(), manifest);
    assert!(labels.iter().enumerate().all(|(i, name)| artifact.label(i) == Some(name)));
    for (given, read) in tensors.iter().zip(artifact.tensors()) {
        assert_eq!((given.id, given.dtype, given.layout), (read.id, read.dtype, read.layout));
        assert_eq!((&given.data[..], &given.scales[..]), (read.data, read.scales));
    }
    for (id, piece) in pieces.iter().enumerate() {
        assert_eq!(artifact.vocabulary().get(piece), Some(id as u32));
    }
    assert_eq!(rewritten(&artifact), bytes[..]);
}

/// A small configuration, often a good one.
fn any_config(choices: &mut Input<'_>) -> Config {
    let head = choices.pick(Head::ALL);
    let heads = u32::from(choices.byte() % 4);
    let flags = choices.byte();
    let mut id = || u32::from(choices.byte() % 8);
    let [pad_id, unk_id, cls_id, sep_id, mask_id] = std::array::from_fn(|_| id());
    let mut size = |most: u8| u32::from(choices.byte() % (most + 1));
    let config = Config {
        architecture: if flags & 1 == 0 { Architecture::Bert } else { Architecture::DistilBert },
        hidden: heads * size(12),
        layers: size(2),
        heads,
        intermediate: size(40),
        vocab_size: size(30),
        max_positions: size(9),
        type_vocab: size(2),
        layer_norm_eps: [1e-12, 1.0, 0.0, f32::NAN][usize::from(flags >> 6)],
        head,
        pooling: if flags & 2 == 0 { Pooling::Mean } else { Pooling::Cls },
        normalize: flags & 4 != 0,
        labels: size(3),
        problem: Problem::SingleLabel,
        lowercase: flags & 8 != 0,
        strip_accents: flags & 16 != 0,
        split_cjk: flags & 32 != 0,
        pad_id,
        unk_id,
        cls_id,
        sep_id,
        mask_id,
    };
    Config { problem: choices.pick(&[Problem::SingleLabel, Problem::MultiLabel, Problem::Regression]), ..config }
}

/// A storage for a tensor, seldom one that its role may not have.
fn any_storage(role: Role, choice: u8) -> (Dtype, Layout) {
    let types = [Dtype::Int8, Dtype::Int4G32, Dtype::Int4G64, Dtype::F32, Dtype::Int3G32];
    let at = usize::from(choice);
    match role.kind() {
        _ if choice == 0xFF => (Dtype::Int8, Layout::Tile16),
        RoleKind::Norm => (Dtype::F32, Layout::RowMajor),
        RoleKind::Bias => ([Dtype::F16, Dtype::F32][at % 2], Layout::RowMajor),
        RoleKind::Table => (types[at % 5], Layout::RowMajor),
        RoleKind::Matrix if at % 5 == 3 => (Dtype::F32, Layout::Tile16),
        RoleKind::Matrix => (types[at % 5], [Layout::Tile16, Layout::Tile8, Layout::Tile4][at / 5 % 3]),
    }
}
