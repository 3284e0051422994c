//! The smallest files with everything in them: one for each head, storage and layout.

use distil_format::{
    Architecture, Config, Dtype, Head, Layout, Pooling, Problem, Role, RoleKind, TensorData, build_vocabulary, write,
};

use crate::tensor::tensor;

/// What sets one small file apart from the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// Its head.
    pub head: Head,
    /// How its tensors are stored.
    pub stored: Stored,
}

/// How the matrices are stored; tables and biases follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// Everything in this type and, for matrices, this layout.
    All(Dtype, Layout),
    /// Another type or layout for every matrix and table.
    Mixed,
}

impl Stored {
    fn of(self, role: Role) -> (Dtype, Layout) {
        let at = usize::from(role.code());
        match (self, role.kind()) {
            (_, RoleKind::Norm) | (Self::All(Dtype::F32, _), RoleKind::Bias) => (Dtype::F32, Layout::RowMajor),
            (_, RoleKind::Bias) => (Dtype::F16, Layout::RowMajor),
            (Self::All(dtype, _), RoleKind::Table) => (dtype, Layout::RowMajor),
            (Self::All(dtype, layout), RoleKind::Matrix) => (dtype, layout),
            (Self::Mixed, RoleKind::Table) => {
                ([Dtype::Int8, Dtype::Int4G32, Dtype::Int4G64, Dtype::F32][at % 4], Layout::RowMajor)
            }
            (Self::Mixed, RoleKind::Matrix) => [
                (Dtype::Int8, Layout::Tile8),
                (Dtype::F32, Layout::Tile16),
                (Dtype::Int4G64, Layout::Tile4),
                (Dtype::Int4G32, Layout::Tile16),
                (Dtype::Int8, Layout::Tile4),
            ][at / 2 % 5],
        }
    }
}

/// Every head, every storage, every layout and every reading of a classifier's scores, each in at least one file.
pub fn kinds() -> Vec<Kind> {
    let int8 = Stored::All(Dtype::Int8, Layout::Tile16);
    let others = [
        (Head::Embedding, Stored::All(Dtype::F32, Layout::Tile16)),
        (Head::MaskedLm, Stored::All(Dtype::Int4G32, Layout::Tile16)),
        (Head::SequenceClassification, Stored::All(Dtype::Int4G64, Layout::Tile8)),
        (Head::TokenClassification, Stored::All(Dtype::Int4G32, Layout::Tile4)),
        (Head::QuestionAnswering, Stored::All(Dtype::Int8, Layout::Tile8)),
        (Head::SequenceClassification, Stored::All(Dtype::Int8, Layout::Tile4)),
        (Head::MaskedLm, Stored::Mixed),
        (Head::MaskedLm, Stored::All(Dtype::Int3G32, Layout::Tile16)),
        (Head::Embedding, Stored::All(Dtype::Int3G32, Layout::Tile4)),
    ];
    let heads = Head::ALL.iter().map(|&head| Kind { head, stored: int8 });
    heads.chain(others.map(|(head, stored)| Kind { head, stored })).collect()
}

impl Kind {
    /// How a classifier of texts reads its scores: another way in each of its files.
    fn problem(self) -> Problem {
        match (self.head, self.stored) {
            (Head::SequenceClassification, Stored::All(Dtype::Int4G64, _)) => Problem::MultiLabel,
            (Head::SequenceClassification, Stored::All(Dtype::Int8, Layout::Tile4)) => Problem::Regression,
            _ => Problem::SingleLabel,
        }
    }
}

/// Entries of the vocabulary: prefixes of each other, continuations, characters of two and three bytes.
pub fn pieces() -> Vec<String> {
    ["a", "ab", "##b", "é", "##é", "中"].map(str::to_owned).to_vec()
}

/// A configuration of the least sizes that leave no part empty; nothing is a multiple of a tile.
pub fn config(head: Head) -> Config {
    let architecture = if head.code().is_multiple_of(2) { Architecture::Bert } else { Architecture::DistilBert };
    let config = Config {
        architecture,
        hidden: 2,
        layers: 1,
        heads: 2,
        intermediate: 3,
        vocab_size: 7,
        max_positions: 6,
        type_vocab: if architecture == Architecture::Bert { 2 } else { 0 },
        layer_norm_eps: 1e-12,
        head,
        pooling: if architecture == Architecture::Bert { Pooling::Cls } else { Pooling::Mean },
        normalize: architecture == Architecture::Bert,
        labels: 0,
        problem: Problem::SingleLabel,
        lowercase: true,
        strip_accents: false,
        split_cjk: true,
        pad_id: 0,
        unk_id: 1,
        cls_id: 2,
        sep_id: 3,
        mask_id: 4,
    };
    // Some heads have labels, some must not.
    let with = |labels| Config { labels, ..config };
    [0, 2, 1].map(with).into_iter().find(|config| config.validate().is_ok()).expect("a count of labels fits the head")
}

/// The name of every label.
pub fn labels(config: &Config) -> Vec<String> {
    ["é", ""].iter().cycle().map(|&name| name.to_owned()).take(config.labels as usize).collect()
}

/// All tensors of a model, with numbers that follow no period of the layouts.
pub fn tensors(config: &Config, stored: Stored) -> Vec<TensorData> {
    // About 2^-6, so that 64 of the numbers are 1.0 here, too.
    let scale = 0x3C80;
    let make = |id: distil_format::TensorId| {
        let salt = usize::from(id.role.code()) * 17 + id.layer as usize;
        // Small enough for -127: the remainder is less than 127.
        let value = |row, col| (((row * 31 + col * 57 + salt) % 251) as u8 % 127).cast_signed() - 63;
        tensor(config, id, stored.of(id.role), scale, value)
    };
    config.tensor_ids().map(make).collect()
}

/// A whole file of a kind.
pub fn file(kind: Kind) -> Vec<u8> {
    let config = Config { problem: kind.problem(), ..config(kind.head) };
    let vocabulary = build_vocabulary(&pieces()).expect("a good vocabulary");
    write(&config, tensors(&config, kind.stored), &vocabulary, &labels(&config), b"\xa0").expect("a good model")
}
