// Tests of the document that completes an upload.

package s3

import "testing"

func TestCompletionsAreParsed(t *testing.T) {
	part := func(number string) string {
		return "<Part><PartNumber>" + number + "</PartNumber><ETag>&quot;a&quot;</ETag></Part>"
	}
	for parts, want := range map[string]*failure{
		part("1") + part(" 2\n"):          nil,
		part("99999"):                     nil, // it is not there, which is judged later
		"":                                errMalformedXML,
		part(""):                          errMalformedXML,
		part("-1"):                        errMalformedXML,
		part("x"):                         errMalformedXML,
		part("2") + part("1") + part("x"): errMalformedXML,
		part("2") + part("2"):             errPartOrder,
		"<Part><PartNumber>1</PartNumber></Part>": errMalformedXML,
		"<Part><ETag>a</ETag></Part>":             errMalformedXML,
	} {
		text := "<CompleteMultipartUpload>" + parts + "</CompleteMultipartUpload>"
		if _, failed := parseCompletion([]byte(text)); failed != want {
			t.Errorf("%s: %+v", parts, failed)
		}
	}
}
