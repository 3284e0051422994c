//! One string column of a Parquet file, row group by row group, some rows at a time.

use super::block::{Block, LONGEST, LineEnd};
use super::{BadLine, Exchange, Field, Input, Stop};
use crate::Error;
use parquet::basic::{ConvertedType, LogicalType, Type};
use parquet::column::reader::ColumnReader;
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::schema::types::ColumnDescriptor;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

/// Rows decoded at once.
const ROWS: usize = 256;

/// Reads all rows of a file into blocks.
pub(super) fn read(
    input: &Input,
    field: &Field,
    block: Block,
    read: &AtomicU64,
    exchange: &mut Exchange,
) -> Result<Block, Stop> {
    let damaged = |rows: u64, reason: String| {
        let next = "check that it is complete and a Parquet file, or pass --keep-going";
        let error = Error::file(&input.path, format!("damaged or cut off after {rows} rows ({reason})"), next);
        Stop::Damage(error)
    };
    let mut reading = Reading { block, values: vec![], levels: vec![], exchange };
    let file = File::open(&input.path).map_err(|e| Stop::Unfit(Error::io(&input.path, &e)))?;
    // The crate is written for files that are whole: damaged ones can make it panic.
    let guarded = |f: &mut dyn FnMut() -> Result<(), Failure>| {
        catch_unwind(AssertUnwindSafe(f)).unwrap_or_else(|_| Err(Failure::Damaged("its pages make no sense".into())))
    };
    let mut opened = None;
    let result = guarded(&mut || {
        opened = Some(SerializedFileReader::new(file.try_clone()?)?);
        Ok(())
    })
    .and_then(|()| opened.ok_or_else(|| Failure::Damaged("no footer".into())))
    .and_then(|reader| {
        let column = column(&reader, field).map_err(Failure::Unfit)?;
        let (mut before, groups) = (0, reader.num_row_groups());
        for group in 0..groups {
            guarded(&mut || reading.group(&reader, group, column))?;
            let now = input.bytes * (group as u64 + 1) / groups as u64;
            read.fetch_add(now - before, Ordering::Relaxed);
            before = now;
        }
        Ok(())
    });
    let rows = reading.block.next().saturating_sub(1);
    match result {
        Ok(()) => Ok(reading.block),
        Err(Failure::Closed) => Err(Stop::Closed),
        Err(failure) => {
            if !reading.block.is_empty() {
                (reading.exchange)(reading.block).ok_or(Stop::Closed)?;
            }
            Err(match failure {
                Failure::Unfit(reason) => Stop::Unfit(Error::file(&input.path, reason, "choose another with --field")),
                Failure::Damaged(reason) => damaged(rows, reason),
                Failure::Closed => Stop::Closed,
            })
        }
    }
}

/// Why reading ended early.
enum Failure {
    /// The file's own fault.
    Damaged(String),
    /// No such column, or not of text.
    Unfit(String),
    /// Nobody takes the rows.
    Closed,
}

impl From<ParquetError> for Failure {
    fn from(error: ParquetError) -> Self {
        Self::Damaged(error.to_string())
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Damaged(error.to_string())
    }
}

/// Place of the text column among the leaves of the schema, or why there is none.
fn column(reader: &SerializedFileReader<File>, field: &Field) -> Result<usize, String> {
    let schema = reader.metadata().file_metadata().schema_descr();
    let is_text = |column: &ColumnDescriptor| {
        column.physical_type() == Type::BYTE_ARRAY
            && column.max_rep_level() == 0
            && !matches!(column.converted_type(), ConvertedType::DECIMAL | ConvertedType::BSON)
            && !matches!(column.logical_type_ref(), Some(LogicalType::Decimal { .. } | LogicalType::Bson))
    };
    let name = |i: usize| schema.column(i).path().string();
    let found = (0..schema.num_columns()).find(|&i| name(i) == field.name());
    match found {
        Some(i) if is_text(&schema.column(i)) => Ok(i),
        Some(i) => Err(format!("column `{}` holds {}, not text", field.name(), schema.column(i).physical_type())),
        None => {
            let texts: Vec<_> = (0..schema.num_columns()).filter(|&i| is_text(&schema.column(i))).map(name).collect();
            let has = if texts.is_empty() { "none of text".into() } else { format!("of text: {}", texts.join(", ")) };
            Err(format!("no column `{}`; it has {has}", field.name()))
        }
    }
}

struct Reading<'e, 'f> {
    block: Block,
    values: Vec<ByteArray>,
    levels: Vec<i16>,
    exchange: &'e mut Exchange<'f>,
}

impl Reading<'_, '_> {
    fn group(&mut self, reader: &SerializedFileReader<File>, group: usize, column: usize) -> Result<(), Failure> {
        let group = reader.get_row_group(group)?;
        let full = group.metadata().column(column).column_descr().max_def_level();
        let ColumnReader::ByteArrayColumnReader(mut column) = group.get_column_reader(column)? else {
            return Err(Failure::Damaged("its schema and its pages do not agree".into()));
        };
        let rows = u64::try_from(group.metadata().num_rows()).map_err(|_| Failure::Damaged("negative size".into()))?;
        let mut done = 0;
        loop {
            self.values.clear();
            self.levels.clear();
            let (records, values, _) = column.read_records(ROWS, Some(&mut self.levels), None, &mut self.values)?;
            if records == 0 {
                break;
            }
            done += records as u64;
            let mut texts = self.values.iter();
            for row in 0..records {
                // Without levels the column has no nulls.
                let text = if full > 0 && self.levels.get(row) != Some(&full) { None } else { texts.next() };
                push(&mut self.block, text.map(ByteArray::data));
                if self.block.is_full() {
                    let (file, next) = (self.block.file, self.block.next());
                    let block = (self.exchange)(std::mem::take(&mut self.block)).ok_or(Failure::Closed)?;
                    self.block = block;
                    self.block.restart(file, next);
                }
            }
            if texts.len() > 0 || values != self.values.len() {
                return Err(Failure::Damaged("more values than rows".into()));
            }
        }
        if done == rows { Ok(()) } else { Err(Failure::Damaged(format!("{done} rows in a group of {rows}"))) }
    }
}

fn push(block: &mut Block, text: Option<&[u8]>) {
    match text {
        None => block.bad(BadLine::Null),
        Some(text) if text.len() > LONGEST => block.bad(BadLine::TooLong),
        Some(text) => {
            let appended = block.line(|bytes| {
                bytes.extend_from_slice(text);
                Ok::<_, std::convert::Infallible>(LineEnd::Complete)
            });
            match appended {
                Ok(_) => {}
                Err(never) => match never {},
            }
        }
    }
}
