//! Parquet files, well formed and damaged.

use super::{Bench, mentions, read};
use parquet::basic::{Compression, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::file::properties::{WriterProperties, WriterVersion};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use std::path::Path;
use std::sync::Arc;

const FLAT: &str = "message m { required int64 id; optional binary text (UTF8); optional binary raw; }";
const NESTED: &str = "message m { required int64 id; optional group doc { optional binary body (UTF8); } }";
const REQUIRED: &str = "message m { required int64 id; required binary text (STRING); }";

/// Writes some row groups; the text is the second column, a third one is empty.
fn write(path: &Path, schema: &str, texts: &[Option<&str>], group: usize, properties: WriterProperties) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let file = std::fs::File::create(path).unwrap();
    let mut writer = SerializedFileWriter::new(file, schema, Arc::new(properties)).unwrap();
    for rows in texts.chunks(group) {
        let mut row_group = writer.next_row_group().unwrap();
        let mut place = 0;
        while let Some(mut column) = row_group.next_column().unwrap() {
            let levels = match column.untyped() {
                _ if place == 0 => vec![],
                writer => {
                    let full = match writer {
                        parquet::column::writer::ColumnWriter::ByteArrayColumnWriter(writer) => {
                            writer.get_descriptor().max_def_level()
                        }
                        _ => panic!("a text column"),
                    };
                    rows.iter().map(|row| if place == 1 && row.is_some() { full } else { 0 }).collect::<Vec<i16>>()
                }
            };
            if place == 0 {
                let ids: Vec<i64> = (0..rows.len() as i64).collect();
                column.typed::<Int64Type>().write_batch(&ids, None, None).unwrap();
            } else {
                let values: Vec<ByteArray> = match place {
                    1 => rows.iter().flatten().map(|text| ByteArray::from(*text)).collect(),
                    _ => vec![],
                };
                column.typed::<ByteArrayType>().write_batch(&values, Some(&levels), None).unwrap();
            }
            column.close().unwrap();
            place += 1;
        }
        row_group.close().unwrap();
    }
    writer.close().unwrap();
}

/// The same texts with every compression, schema and page version; names, relative to the bench, and fields.
pub(super) fn write_all(folder: &Path, texts: &[Option<&str>]) -> Vec<(String, &'static str)> {
    let mut names = vec![];
    let mut add = |name: &str, schema: &str, field, group, properties| {
        write(&folder.join(name), schema, texts, group, properties);
        names.push((format!("parquet/{name}"), field));
    };
    for (name, compression) in [
        ("plain.parquet", Compression::UNCOMPRESSED),
        ("snappy.parquet", Compression::SNAPPY),
        ("gzip.parquet", Compression::GZIP(Default::default())),
        ("zstd.parquet", Compression::ZSTD(ZstdLevel::default())),
        ("lz4.parquet", Compression::LZ4_RAW),
        ("brotli.parquet", Compression::BROTLI(Default::default())),
    ] {
        // Small pages, several groups.
        let properties = WriterProperties::builder().set_compression(compression).set_data_page_size_limit(500);
        add(name, FLAT, "text", 77, properties.set_write_batch_size(16).build());
    }
    let version_2 = WriterProperties::builder().set_writer_version(WriterVersion::PARQUET_2_0);
    add("pages-2.parquet", REQUIRED, "text", 1000, version_2.set_dictionary_enabled(false).build());
    add("nested.parquet", NESTED, "doc.body", 50, WriterProperties::default());
    names
}

#[test]
fn nulls_are_bad_lines_and_columns_are_checked() {
    let bench = Bench::new();
    let lines = bench.lines();
    let mut texts: Vec<Option<&str>> = lines.iter().map(|line| Some(line.as_str())).collect();
    texts[4] = None;
    texts[150] = None;
    write(&bench.path("nulls.parquet"), FLAT, &texts, 100, WriterProperties::default());
    let (summary, said) = bench.prepare("data", &["nulls.parquet"], &[]);
    assert_eq!(summary["bad_lines"], serde_json::json!({"null": 2}));
    assert_eq!(summary["lines"], 298);
    mentions(&said, &["nulls.parquet:5", "nulls.parquet:151"]);
    let error = bench.fails(&["nulls.parquet"], &["--field", "body", "--keep-going"]);
    mentions(&error, &["no column `body`", "of text: text, raw", "--field"]);
    mentions(&bench.fails(&["nulls.parquet"], &["--field", "id"]), &["column `id` holds INT64, not text"]);
    // A column of nothing but nulls.
    mentions(&bench.fails(&["nulls.parquet"], &["--field", "raw"]), &["no training text is left", "300 more were bad"]);
}

#[test]
fn damage_is_an_error_with_the_rows_before_it() {
    let bench = Bench::new();
    let lines = bench.lines();
    let texts: Vec<Option<&str>> = lines.iter().map(|line| Some(line.as_str())).collect();
    let properties = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default()));
    let properties =
        properties.set_dictionary_enabled(false).set_data_page_size_limit(2000).set_write_batch_size(16).build();
    write(&bench.path("good.parquet"), REQUIRED, &texts, 100, properties);
    let good = read(&bench.path("good.parquet"));
    bench.write("cut.parquet", &good[..good.len() - 10]);
    mentions(&bench.fails(&["cut.parquet"], &[]), &["cut.parquet", "after 0 rows", "--keep-going"]);
    let (summary, _) = bench.prepare("data", &["cut.parquet", "text.txt"], &["--keep-going"]);
    assert_eq!((&summary["lines"], &summary["damaged_files"]), (&300.into(), &1.into()));
    bench.write("empty.parquet", "");
    mentions(&bench.fails(&["empty.parquet"], &[]), &["empty.parquet", "damaged"]);
    // Zeros in the middle of the pages.
    let mut torn = good.clone();
    let middle = good.len() / 2;
    torn[middle..middle + 200].fill(0);
    bench.write("torn.parquet", &torn);
    mentions(&bench.fails(&["torn.parquet"], &[]), &["torn.parquet", "damaged or cut off after", "rows"]);
    let (summary, _) = bench.prepare("data", &["torn.parquet"], &["--keep-going"]);
    let lines = summary["lines"].as_u64().unwrap();
    assert!(lines > 0 && lines < 300, "{lines}");
}
