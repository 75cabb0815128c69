package manifest

import "encoding/base64"

const (
	// maxData bounds what a ConfigMap or a Secret holds, as the API server does.
	maxData = 1 << 20
	// maxObject bounds an object: the store of a cluster takes no more, unless it is
	// set up to.
	maxObject = 3 << 20 / 2
)

// checkSize refuses what no cluster takes.
func (d Document) checkSize() []Problem {
	kind := d.Object.GetKind()
	if d.Object.GetAPIVersion() == "v1" && (kind == "ConfigMap" || kind == "Secret") {
		size, largest, at := 0, -1, Path{}
		for _, field := range []string{"data", "binaryData", "stringData"} {
			values, ok := d.Object.Object[field].(map[string]any)
			if !ok {
				continue
			}
			for name, value := range values {
				text, ok := value.(string)
				if !ok {
					continue
				}
				length := len(text)
				if field == "binaryData" || field == "data" && kind == "Secret" {
					length = base64.StdEncoding.DecodedLen(length)
				}
				if size += length; length > largest || length == largest && name < at[1].(string) { //nolint:errcheck // made here
					largest, at = length, Path{field, name}
				}
			}
		}
		if size > maxData {
			return []Problem{d.Problem(
				at, "split it, or put large content into an image or a volume",
				"the %s holds %d bytes, and no cluster takes more than %d; %d of them are this", kind, size, maxData, largest)}
		}
	}
	data, err := d.Object.MarshalJSON()
	if err == nil && len(data) > maxObject {
		return []Problem{d.Warning(
			nil, "split it", "the %s has %d bytes, and most clusters take no more than %d", kind, len(data), maxObject)}
	}
	return nil
}
