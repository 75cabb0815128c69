package resolve

import (
	"encoding/base64"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// secretData is what a Secret holds, whichever way it is written.
func secretData(object *unstructured.Unstructured) map[string][]byte {
	data := map[string][]byte{}
	if values, ok := object.Object["data"].(map[string]any); ok {
		for name, value := range values {
			if text, ok := value.(string); ok {
				if decoded, err := base64.StdEncoding.DecodeString(text); err == nil {
					data[name] = decoded
				}
			}
		}
	}
	if values, ok := object.Object["stringData"].(map[string]any); ok {
		for name, value := range values {
			if text, ok := value.(string); ok {
				data[name] = []byte(text)
			}
		}
	}
	return data
}
