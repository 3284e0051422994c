//! Micro-batches: as many rows at once as the device's memory holds, found by trying.

use crate::data::Batch;
use crate::model::ModelConfig;
use crate::{Error, Result, comm};
use std::collections::VecDeque;

/// A piece of a global batch and the number of its first sequence in it.
pub(crate) type Piece = (usize, Batch);

/// The most rows that are computed at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MicroBatches {
    rows: usize,
}

impl MicroBatches {
    /// At most `rows` rows at once, and at least one sequence.
    pub(crate) fn of(rows: usize) -> Self {
        Self { rows: rows.max(1) }
    }

    /// The most rows at once, now.
    pub(super) fn rows(self) -> usize {
        self.rows
    }

    /// A first value from the memory that is free once weights and moments are there: halved later if it was too much.
    ///
    /// Counts what a forward pass keeps for the backward pass, in bytes a row: about 16 hidden states and 4 feed-forward states a
    /// layer, and the attention probabilities for rows of the longest sequences, at `width` bytes a number. The teacher keeps
    /// nothing, but its logits and the student's are there for a chunk of rows: an eighth of the memory is left for that.
    pub(super) fn fitting(free: u64, student: &ModelConfig, gradients: usize, width: usize) -> Self {
        let longest = student.max_positions;
        let layer = 16 * student.hidden + 4 * student.intermediate + 3 * student.heads * longest;
        let row = (width * layer * (student.layers + 1)) as u64;
        let free = free.saturating_sub(8 * gradients as u64);
        Self::of((free / 8 * 7 / row.max(1)) as usize)
    }

    /// Computes a batch piece after piece; `compute` is told which one is the last. When one does not fit in the device's memory, the
    /// limit is halved, with a note, and that piece is cut and tried again; what was computed before it stays.
    ///
    /// # Errors
    /// Any error of `compute`, and [`Error::DoesNotFit`] when a single sequence is too much.
    pub(crate) fn each(&mut self, batch: Piece, mut compute: impl FnMut(&Piece, bool) -> Result<()>) -> Result<()> {
        let mut waiting: VecDeque<Piece> = VecDeque::from([batch]);
        while let Some(piece) = waiting.pop_front() {
            let (rows, sequences) = (piece.1.rows(), piece.1.lengths.len());
            if rows > self.rows && sequences > 1 {
                cut(piece, self.rows).into_iter().rev().for_each(|piece| waiting.push_front(piece));
                continue;
            }
            match compute(&piece, waiting.is_empty()) {
                Ok(()) => {}
                Err(e) if !e.is_out_of_memory() => return Err(e),
                Err(_) if sequences == 1 => {
                    let next =
                        "lower --max-length of `train prepare`, or take smaller models or a GPU with more memory";
                    let what = format!("one sequence of {rows} tokens");
                    return Err(Error::DoesNotFit { what, next: next.into() });
                }
                Err(_) => {
                    self.rows = (rows.min(self.rows) / 2).max(1);
                    eprintln!(
                        "{}note: {rows} tokens at once do not fit in the device's memory; going on with {}",
                        comm::prefix(),
                        self.rows
                    );
                    waiting.push_front(piece);
                }
            }
        }
        Ok(())
    }
}

/// Pieces of whole sequences and at most `rows` rows, or one sequence.
fn cut((mut first, batch): Piece, rows: usize) -> Vec<Piece> {
    let (mut pieces, mut row, mut sequence) = (Vec::new(), 0, 0);
    while sequence < batch.lengths.len() {
        let (start, first_sequence) = (row, sequence);
        row += batch.lengths[sequence];
        sequence += 1;
        while batch.lengths.get(sequence).is_some_and(|length| row + length - start <= rows) {
            row += batch.lengths[sequence];
            sequence += 1;
        }
        pieces.push((first, batch.slice(start..row, first_sequence..sequence)));
        first += sequence - first_sequence;
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(lengths: &[usize]) -> Batch {
        let rows = lengths.iter().sum::<usize>() as u32;
        Batch {
            ids: (0..rows).collect(),
            positions: lengths.iter().flat_map(|&n| 0..n as u32).collect(),
            labels: (0..rows).map(|i| i + 100).collect(),
            lengths: lengths.to_vec(),
            ..Batch::default()
        }
    }

    /// What a device with room for `room` rows says.
    fn device(room: usize) -> impl Fn(&Piece, bool) -> Result<()> {
        move |piece, _| match piece.1.rows() {
            rows if rows > room => {
                Err(Error::Tensor("DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")".into()))
            }
            _ => Ok(()),
        }
    }

    #[test]
    fn every_sequence_once_whatever_fits() {
        let whole = batch(&[5, 9, 2, 7, 7, 1, 8, 3]);
        for (limit, room) in [(1000, 1000), (16, 1000), (1000, 16), (1000, 9), (20, 10), (1, 9)] {
            let mut micro = MicroBatches::of(limit);
            let (mut pieces, fits, mut ends) = (vec![], device(room), 0);
            micro
                .each((0, whole.clone()), |piece, last| {
                    fits(piece, last)?;
                    pieces.push(piece.clone());
                    ends += usize::from(last);
                    Ok(())
                })
                .unwrap();
            assert_eq!(ends, 1, "one piece is the last");
            let ids: Vec<u32> = pieces.iter().flat_map(|(_, piece)| piece.ids.clone()).collect();
            assert_eq!(ids, whole.ids, "limit {limit}, room {room}");
            let mut next = 0;
            for (first, piece) in &pieces {
                assert_eq!(*first, next);
                assert!(piece.rows() <= room);
                assert_eq!(piece.rows(), piece.lengths.iter().sum::<usize>());
                next += piece.lengths.len();
            }
            // What was learned stays: nothing fails the next time.
            let again = micro;
            micro.each((0, whole.clone()), device(room)).unwrap();
            assert_eq!(micro, again);
        }
    }

    #[test]
    fn only_the_failing_piece_is_computed_again() {
        let mut attempts = vec![];
        let mut failed = false;
        let compute = |piece: &Piece, _: bool| {
            attempts.push((piece.0, piece.1.lengths.len()));
            // The second piece fails once.
            if piece.0 == 4 && !failed {
                failed = true;
                return Err(Error::Tensor("CublasError(CUBLAS_STATUS_ALLOC_FAILED)".into()));
            }
            Ok(())
        };
        MicroBatches::of(16).each((0, batch(&[4; 12])), compute).unwrap();
        assert_eq!(attempts, [(0, 4), (4, 4), (4, 2), (6, 2), (8, 2), (10, 2)]);
    }

    #[test]
    fn other_errors_and_a_sequence_too_long_end_it() {
        let mut micro = MicroBatches::of(100);
        let error = micro.each((0, batch(&[4, 4])), |_, _| Err(Error::Tensor("shape".into())));
        assert!(matches!(error, Err(Error::Tensor(text)) if text == "shape"));
        let error = micro.each((0, batch(&[4, 30])), device(20)).unwrap_err().to_string();
        for words in ["one sequence of 30 tokens", "does not fit", "--max-length", "smaller"] {
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn the_first_value_grows_with_memory() {
        let config = ModelConfig {
            architecture: crate::model::Architecture::DistilBert,
            vocab_size: 30522,
            hidden: 768,
            layers: 6,
            heads: 12,
            intermediate: 3072,
            max_positions: 512,
            type_vocab: 0,
            layer_norm_eps: 1e-12,
            dropout: 0.1,
            attention_dropout: 0.1,
            initializer_range: 0.02,
            pad_id: 0,
            head: crate::model::Head::MaskedLm,
        };
        let rows = |gib: u64| MicroBatches::fitting(gib << 30, &config, 67_000_000, 2).rows();
        assert_eq!(rows(0), 1);
        assert!(rows(8) > 2_000 && rows(8) < 20_000, "{}", rows(8));
        assert!(rows(80) > 9 * rows(8));
    }
}
