//! Heads, labels and problems: what belongs together comes back, what does not is refused.

mod common;

use common::{PIECES, Stored, config, file, fix, tensors};
use distil_format::{
    AlignedBytes, Artifact, Config, ConfigError, Dtype, Head, Layout, OpenError, Problem, Role, SectionKind,
    TensorError, TensorId, WriteError, build_vocabulary, write,
};

/// Where the configuration starts in every file.
const CONFIG: usize = 256;

/// Labels, heads and problems that belong together; the byte that a file has for the problem.
#[test]
fn problems_come_back_where_they_belong() {
    let vocabulary = build_vocabulary(PIECES).expect("a good vocabulary");
    let mut written = Vec::new();
    for &head in Head::ALL {
        for (labels, &problem) in [0, 1, 2].into_iter().flat_map(|n| Problem::ALL.iter().map(move |p| (n, p))) {
            let config = Config { labels, problem, ..config(head) };
            let names = vec![String::new(); labels as usize];
            let file = match write(&config, tensors(&config, Stored::Int8), &vocabulary, &names, b"") {
                Ok(file) => AlignedBytes::copy_of(&file),
                Err(error) => {
                    let expected = if head.has_labels() == (labels > 0) {
                        ConfigError::Problem { head, labels, problem }
                    } else {
                        ConfigError::Labels { head, labels }
                    };
                    assert_eq!(error, WriteError::Config(expected));
                    continue;
                }
            };
            assert_eq!(Artifact::open(&file).expect("the file opens").config(), &config);
            written.push((head, labels, problem, file[CONFIG + 7]));
        }
    }
    use Problem::{MultiLabel, Regression, SingleLabel};
    let classes = Head::SequenceClassification;
    assert_eq!(
        written,
        [
            (Head::Embedding, 0, SingleLabel, 0),
            (Head::MaskedLm, 0, SingleLabel, 0),
            (classes, 1, MultiLabel, 1),
            (classes, 1, Regression, 0),
            (classes, 2, SingleLabel, 0),
            (classes, 2, MultiLabel, 1),
            (classes, 2, Regression, 2),
            (Head::TokenClassification, 1, SingleLabel, 0),
            (Head::TokenClassification, 2, SingleLabel, 0),
            (Head::QuestionAnswering, 0, SingleLabel, 0),
        ]
    );
}

/// The head of one file with the tensors of another: every pair but a head with itself.
#[test]
fn tensors_of_another_head_are_refused() {
    for &head in Head::ALL {
        let mut bytes = AlignedBytes::copy_of(&file(head, Stored::Int8));
        for &other in Head::ALL.iter().filter(|&&other| other != head) {
            // With the number of labels that the other head needs, so that its configuration is a good one.
            let labels = if other.has_labels() { 3_u32 } else { 0 };
            bytes[CONFIG + 1] = other.code();
            bytes[CONFIG + 40..CONFIG + 44].copy_from_slice(&labels.to_le_bytes());
            fix(&mut bytes);
            let error = Artifact::open(&bytes).expect_err("a forged file");
            let counts = [head, other].map(|head| config(head).tensor_count());
            match error {
                OpenError::SectionLength(SectionKind::TensorTable) => assert_ne!(counts[0], counts[1]),
                OpenError::Tensor { id, error: TensorError::Entry } => {
                    assert_eq!(counts[0], counts[1], "{head} as {other}");
                    assert!(!id.role.is_per_layer() && id.role > Role::OutputNormBias, "{head} as {other}: {id}");
                }
                error => panic!("{head} as {other}: {error}"),
            }
        }
    }
}

/// Head tensors of a wrong role, shape or storage, with an entry that is consistent in itself.
#[test]
fn wrong_head_tensors_are_refused() {
    for (head, role) in [(Head::TokenClassification, Role::Classifier), (Head::QuestionAnswering, Role::Span)] {
        let mut bytes = AlignedBytes::copy_of(&file(head, Stored::Int8));
        let config = config(head);
        let id = TensorId { role, layer: 0 };
        let entry = {
            let artifact = Artifact::open(&bytes).expect("the file opens");
            let (_, table) = artifact.sections().nth(1).expect("the table is second");
            table.start + 48 * config.index_of(id).expect("the head has it")
        };
        let shape = config.shape(id);
        for (at, value, expected) in [
            (0, Role::PreClassifier.code(), TensorError::Entry),
            (0, Role::SpanBias.code(), TensorError::Entry),
            (4, 1, TensorError::Entry),
            (8, shape.0 as u8 + 1, TensorError::Shape { expected: shape }),
            (12, shape.1 as u8 - 1, TensorError::Shape { expected: shape }),
            (1, Dtype::F16.code(), TensorError::Storage { dtype: Dtype::F16, layout: Layout::Tile16 }),
            (2, Layout::RowMajor.code(), TensorError::Storage { dtype: Dtype::Int8, layout: Layout::RowMajor }),
            (1, Dtype::F32.code(), TensorError::Place),
        ] {
            let good = std::mem::replace(&mut bytes[entry + at], value);
            fix(&mut bytes);
            assert_eq!(Artifact::open(&bytes).map(|_| ()), Err(OpenError::Tensor { id, error: expected }));
            bytes[entry + at] = good;
        }
    }
    // A problem that the head cannot have, and a single label said in two ways.
    let mut bytes = AlignedBytes::copy_of(&file(Head::TokenClassification, Stored::Int8));
    bytes[CONFIG + 7] = Problem::MultiLabel.code();
    fix(&mut bytes);
    let (head, problem) = (Head::TokenClassification, Problem::MultiLabel);
    let refused = OpenError::Config(ConfigError::Problem { head, labels: 3, problem });
    assert_eq!(Artifact::open(&bytes).map(|_| ()), Err(refused));
    let mut bytes = AlignedBytes::copy_of(&file(Head::SequenceClassification, Stored::Int8));
    bytes[CONFIG + 7] = Problem::Regression.code();
    bytes[CONFIG + 40] = 1;
    fix(&mut bytes);
    let refused = OpenError::Config(ConfigError::Code { field: "problem", value: 2 });
    assert_eq!(Artifact::open(&bytes).map(|_| ()), Err(refused));
}
