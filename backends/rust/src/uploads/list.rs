//! Listings of a bucket's uploads, and of the parts of one.

use std::ops::Bound;
use std::time::SystemTime;

use super::{Part, UploadError, UploadId, Uploads};
use crate::store::ListQuery;

/// A key with an upload of it, by its id, and when that began; a common prefix has none.
pub type Entry = (Box<str>, Option<(UploadId, SystemTime)>);

/// Uploads and common prefixes in one order.
#[derive(Debug, Default)]
pub struct UploadsPage {
    pub entries: Vec<Entry>,
    pub truncated: bool,
}

impl UploadsPage {
    /// False when the page is full.
    fn push(
        &mut self,
        query: &ListQuery<'_>,
        name: &str,
        upload: Option<(UploadId, SystemTime)>,
    ) -> bool {
        if self.entries.len() >= query.max {
            self.truncated = query.max > 0;
            return false;
        }
        self.entries.push((name.into(), upload));
        true
    }
}

impl Uploads {
    /// At most so many parts behind a number, and whether there are more.
    ///
    /// # Errors
    ///
    /// The upload is not open.
    pub fn parts(
        &self,
        (key, id): (&str, UploadId),
        after: u16,
        max: usize,
    ) -> Result<(Vec<(u16, Part)>, bool), UploadError> {
        let mut table = self.lock();
        let parts = &table.upload(key, id)?.parts;
        let mut behind = parts.range((Bound::Excluded(after), Bound::Unbounded));
        let page: Vec<_> =
            behind.by_ref().take(max).map(|(number, part)| (*number, part.clone())).collect();
        let truncated = max > 0 && behind.next().is_some();
        Ok((page, truncated))
    }

    /// At most `query.max` uploads and common prefixes. Without an id to begin behind, every upload
    /// of the key `query.after` is passed over.
    pub fn list(&self, query: &ListQuery<'_>, id_after: &str) -> UploadsPage {
        let table = self.lock();
        let mut page = UploadsPage::default();
        let bounds = (Bound::Included(query.prefix), Bound::Unbounded);
        let keys = table.open.range::<str, _>(bounds);
        let keys = keys.take_while(|(key, _)| key.starts_with(query.prefix));
        for (key, uploads) in keys.filter(|(key, _)| &***key >= query.after) {
            if let Some(common) = query.common(key) {
                let told = page.entries.last().is_some_and(|(name, _)| &**name == common);
                if common > query.after && !told && !page.push(query, common, None) {
                    return page;
                }
                continue;
            }
            for (id, upload) in uploads {
                let passed = **key == *query.after
                    && (id_after.is_empty() || id.to_string().as_str() <= id_after);
                if !passed && !page.push(query, key, Some((*id, upload.begun))) {
                    return page;
                }
            }
        }
        page
    }
}
