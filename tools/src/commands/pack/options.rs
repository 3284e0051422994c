//! The values of `tools pack`'s options.

use clap::ValueEnum;
use distil_format::{Dtype, Layout, Role, RoleKind};

use crate::hf::HeadKind;

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum StorageArg {
    Int8,
    Int4,
    Int3,
    F32,
}

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
pub(super) enum WeightsArg {
    Int8,
    Int4,
    Int3,
    F32,
    // A plain comment: one on a value would turn the whole help into its long form.
    Mixed,
}

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
pub(super) enum GroupArg {
    #[value(name = "32")]
    Of32,
    #[value(name = "64")]
    Of64,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum LayoutArg {
    Tile16,
    Tile8,
    Tile4,
}

/// The name of a tensor that may be int8.
pub(super) fn parse_role(name: &str) -> Result<Role, String> {
    let role = name.parse::<Role>().ok().filter(|role| matches!(role.kind(), RoleKind::Matrix | RoleKind::Table));
    role.ok_or_else(|| {
        let may = Role::ALL.iter().filter(|role| matches!(role.kind(), RoleKind::Matrix | RoleKind::Table));
        format!("no matrix or table; use one of {}", may.map(Role::to_string).collect::<Vec<_>>().join(", "))
    })
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum HeadArg {
    Auto,
    Embedding,
    MaskedLm,
    SequenceClassification,
    TokenClassification,
    QuestionAnswering,
}

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
pub(super) enum PoolingArg {
    Mean,
    Cls,
}

impl StorageArg {
    pub(super) fn dtype(self, group: GroupArg) -> Dtype {
        match (self, group) {
            (Self::Int8, _) => Dtype::Int8,
            (Self::Int4, GroupArg::Of32) => Dtype::Int4G32,
            (Self::Int4, GroupArg::Of64) => Dtype::Int4G64,
            (Self::Int3, _) => Dtype::Int3G32,
            (Self::F32, _) => Dtype::F32,
        }
    }
}

impl HeadArg {
    pub(super) fn wanted(self) -> Option<HeadKind> {
        match self {
            Self::Auto => None,
            Self::Embedding => Some(HeadKind::Embedding),
            Self::MaskedLm => Some(HeadKind::MaskedLm),
            Self::SequenceClassification => Some(HeadKind::SequenceClassification),
            Self::TokenClassification => Some(HeadKind::TokenClassification),
            Self::QuestionAnswering => Some(HeadKind::QuestionAnswering),
        }
    }
}

impl LayoutArg {
    pub(super) fn layout(self) -> Layout {
        match self {
            Self::Tile16 => Layout::Tile16,
            Self::Tile8 => Layout::Tile8,
            Self::Tile4 => Layout::Tile4,
        }
    }
}
