// The headers that an object keeps, and what a query says in place of them.

package s3

import (
	"strings"

	"pausemark/go/internal/store"
)

// keptName is a header that is kept, as it is told and as requests are asked for it, and the parameter of a
// query that overrides it.
type keptName struct {
	told      string
	sent      string
	parameter string
}

func keptNameOf(told string) keptName {
	return keptName{told, strings.ToLower(told), overridePrefix + strings.ToLower(told)}
}

const overridePrefix = "response-"

var contentType = keptNameOf("Content-Type")

// keptNames are those beside the content type, in the order in which they are told and logged.
var keptNames = [...]keptName{keptNameOf("Cache-Control"), keptNameOf("Content-Disposition"),
	keptNameOf("Content-Encoding"), keptNameOf("Content-Language"), keptNameOf("Expires")}

// readOverrides finds whether a GET asks for other values than the kept ones; a control character could end
// its header and begin another.
func (e *Exchange) readOverrides() *failure {
	for _, one := range e.query {
		if !strings.HasPrefix(one.name, overridePrefix) || !isOverride(one.name) {
			continue
		}
		for at := range len(one.value) {
			if b := one.value[at]; b < ' ' || b == 0x7f {
				return errInvalidArgument
			}
		}
		e.overriding = e.overriding || one.value != ""
	}
	return nil
}

func isOverride(parameter string) bool {
	for at := range keptNames {
		if keptNames[at].parameter == parameter {
			return true
		}
	}
	return contentType.parameter == parameter
}

// tellKept tells the content type and what else is kept, but the metadata.
func (e *Exchange) tellKept(object *store.Object, headers []store.Header) {
	if !e.overriding {
		e.Answer.Field(contentType.told, object.ContentType)
		e.tell(headers)
		return
	}
	e.tellOverridden(&contentType, object.ContentType)
	for at := range keptNames {
		e.tellOverridden(&keptNames[at], valueOf(headers, keptNames[at].told))
	}
}

func (e *Exchange) tellOverridden(name *keptName, kept string) {
	if value := e.query.get(name.parameter); value != "" {
		kept = value
	}
	if kept != "" {
		e.Answer.Field(name.told, kept)
	}
}

func valueOf(headers []store.Header, name string) string {
	for at := range headers {
		if headers[at].Name == name {
			return headers[at].Value
		}
	}
	return ""
}
