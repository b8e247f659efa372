// Tests of ranges and conditions.

package s3

import "testing"

func TestRangesAreReadAsS3ReadsThem(t *testing.T) {
	for text, want := range map[string]struct {
		first, last int64
		verdict     rangeVerdict
	}{
		"bytes=0-0":                   {0, 0, rangeGood},
		"bytes=5-":                    {5, 9, rangeGood},
		"bytes=-3":                    {7, 9, rangeGood},
		"bytes=-30":                   {0, 9, rangeGood},
		"bytes=10-":                   {0, 0, rangeUnsatisfiable},
		"bytes=-0":                    {0, 0, rangeUnsatisfiable},
		"bytes=9999999999999999999-":  {0, 0, rangeUnsatisfiable},
		"bytes=99999999999999999999-": {0, 0, rangeMalformed},
		"bytes=3-2":                   {0, 0, rangeMalformed},
		"bytes=+1-2":                  {0, 0, rangeMalformed},
		"bytes=-":                     {0, 0, rangeMalformed},
		"bytes=0-1,3-4":               {0, 0, rangeMalformed},
	} {
		first, last, verdict := parseRange(text, 10)
		if first != want.first || last != want.last || verdict != want.verdict {
			t.Errorf("%s: %d-%d %d", text, first, last, verdict)
		}
	}
}

func TestDeleteListsAreParsed(t *testing.T) {
	good := "<?xml version=\"1.0\"?><Delete xmlns=\"x\"><Quiet>true</Quiet>" +
		"<Object><Key>a&amp;&#32;b</Key></Object></Delete>\n"
	request, failed := parseDelete([]byte(good))
	if failed != nil || *request.Objects[0].Key != "a& b" || !isTrue(request.Quiet) {
		t.Fatalf("%+v %+v", request, failed)
	}
	for _, text := range []string{"", "x", "<Delete/>", "<Delete><Object/></Delete>", "<A/>",
		"<Delete><Object><Key>a</Key></Object>", good + "x"} {
		if _, failed := parseDelete([]byte(text)); failed != errMalformedXML {
			t.Errorf("%q: %+v", text, failed)
		}
	}
}
