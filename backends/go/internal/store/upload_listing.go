// Listing of open uploads: prefix, delimiter and markers over keys and ids.

package store

import "strings"

// UploadPage is one page of a bucket's open uploads and the common prefixes among them.
type UploadPage struct {
	Uploads   []*Upload
	Prefixes  []string
	Truncated bool
	LastName  string // the last key or common prefix
	LastID    string // of the last upload; "" behind a common prefix
}

// ListUploads returns at most query.Max uploads and common prefixes by key, then id. With an id the page
// goes on within the uploads of the key query.After; without one it begins behind all of them.
func (b *Bucket) ListUploads(query Query, afterID string) UploadPage {
	var page UploadPage
	if query.Max == 0 {
		return page
	}
	for _, upload := range b.uploads() {
		if !strings.HasPrefix(upload.Key, query.Prefix) || !query.behind(upload, afterID) {
			continue
		}
		common := query.common(upload.Key)
		if common != "" && (common <= query.After || common == page.LastName) {
			continue // told before
		}
		if len(page.Uploads)+len(page.Prefixes) == query.Max {
			page.Truncated = true
			return page
		}
		if common != "" {
			page.Prefixes = append(page.Prefixes, common)
			page.LastName, page.LastID = common, ""
			continue
		}
		page.Uploads = append(page.Uploads, upload)
		page.LastName, page.LastID = upload.Key, upload.ID
	}
	return page
}

// behind tells whether the upload comes after the markers.
func (q Query) behind(upload *Upload, afterID string) bool {
	if afterID != "" && upload.Key == q.After {
		return upload.ID > afterID
	}
	return upload.Key > q.After
}
