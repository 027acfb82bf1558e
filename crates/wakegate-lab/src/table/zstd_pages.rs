//! Pages of a Parquet file: no larger than they may be, and those that are compressed with Zstandard,
//! as polars and others write them.
//!
//! The crate that reads Parquet has this codec in C alone. So it reads these columns as if they were
//! not compressed, and what it gives is decompressed here.

use std::fs::File;
use std::io::Read;
use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::Compression;
use parquet::bloom_filter::Sbbf;
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::reader::RowGroupReader;
use parquet::file::serialized_reader::SerializedPageReader;
use parquet::record::reader::RowIter;
use parquet::schema::types::Type;

use super::row_limit::MOST_ROW;
use super::zstandard::Zstandard;

/// Most bytes that a page may become: writers begin a new one after about 1 MiB, but never within a
/// cell.
const MOST_PAGE: u64 = 64 << 20;

/// A row group, some columns of which may be compressed so.
pub(super) struct RowGroup<'g> {
    pub(super) inner: Box<dyn RowGroupReader + 'g>,
    pub(super) file: Arc<File>,
}

impl RowGroupReader for RowGroup<'_> {
    fn metadata(&self) -> &RowGroupMetaData {
        self.inner.metadata()
    }

    fn num_columns(&self) -> usize {
        self.inner.num_columns()
    }

    fn get_column_page_reader(&self, column: usize) -> Result<Box<dyn PageReader>> {
        let group = self.metadata();
        let chunk = group.column(column);
        // Where the mean cell is too long, one is: known before a byte of it is read.
        let (bytes, rows) =
            (chunk.uncompressed_size().max(0) as u64, group.num_rows().max(0) as u64);
        if bytes > rows.saturating_add(1).saturating_mul(MOST_ROW) {
            let found = format!("{} MiB in {rows} rows", bytes >> 20);
            let most = MOST_ROW >> 20;
            return Err(ParquetError::General(format!(
                "expected cells of at most {most} MiB, found {found}: they may hold audio"
            )));
        }
        if !matches!(chunk.compression(), Compression::ZSTD(_)) {
            let pages = self.inner.get_column_page_reader(column)?;
            return Ok(Box::new(Pages { pages, is_packed: false }));
        }
        let plain = chunk.clone().into_builder().set_compression(Compression::UNCOMPRESSED);
        let rows = usize::try_from(group.num_rows())?;
        let pages = SerializedPageReader::new(Arc::clone(&self.file), &plain.build()?, rows, None)?;
        Ok(Box::new(Pages { pages: Box::new(pages), is_packed: true }))
    }

    fn get_column_bloom_filter(&self, column: usize) -> Option<&Sbbf> {
        self.inner.get_column_bloom_filter(column)
    }

    fn get_row_iter(&self, projection: Option<Type>) -> Result<RowIter<'_>> {
        RowIter::from_row_group(projection, self)
    }
}

struct Pages {
    pages: Box<dyn PageReader>,
    /// Whether they are compressed with Zstandard.
    is_packed: bool,
}

impl PageReader for Pages {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        let Some(mut page) = self.pages.get_next_page()? else { return Ok(None) };
        let bytes = page.buffer().len() as u64;
        if bytes > MOST_PAGE {
            let found = bytes.div_ceil(1 << 20);
            return Err(too_large(&format!("{found} MiB")));
        }
        if !self.is_packed {
            return Ok(Some(page));
        }
        match &mut page {
            Page::DataPage { buf, .. } | Page::DictionaryPage { buf, .. } => {
                *buf = decompressed(buf, 0)?;
            }
            Page::DataPageV2 {
                buf,
                is_compressed,
                def_levels_byte_len,
                rep_levels_byte_len,
                ..
            } => {
                // The levels in front of the values are never compressed.
                let levels = u64::from(*def_levels_byte_len) + u64::from(*rep_levels_byte_len);
                if *is_compressed {
                    *buf = decompressed(buf, usize::try_from(levels)?)?;
                }
            }
        }
        Ok(Some(page))
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        self.pages.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.pages.skip_next_page()
    }
}

impl Iterator for Pages {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

/// `bytes`, of which those from `from` on are compressed.
fn decompressed(bytes: &Bytes, from: usize) -> Result<Bytes> {
    let wrong = |text: String| ParquetError::General(format!("a page can't be read: {text}"));
    let Some((head, packed)) = bytes.split_at_checked(from) else {
        return Err(wrong("it is shorter than its levels".to_owned()));
    };
    let mut whole = head.to_vec();
    let mut reader = Zstandard::new(packed).take(MOST_PAGE + 1);
    let count = reader.read_to_end(&mut whole).map_err(|error| wrong(error.to_string()))?;
    if count as u64 > MOST_PAGE {
        return Err(too_large("more"));
    }
    Ok(whole.into())
}

fn too_large(found: &str) -> ParquetError {
    let most = MOST_PAGE >> 20;
    ParquetError::General(format!(
        "expected pages of at most {most} MiB, found {found}: a cell may hold audio"
    ))
}
