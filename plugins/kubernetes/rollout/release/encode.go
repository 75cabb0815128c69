package release

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// ErrNewer is the error of a release that a newer plugin has written.
var ErrNewer = errors.New("written by a newer version of this plugin: use that one")

// Encode writes the release.
func (r *Release) Encode() ([]byte, error) {
	data, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode release: %w", err)
	}
	return data, nil
}

// Decode reads what Encode of this version has written.
func Decode(version uint32, data []byte) (*Release, error) {
	if version > Version {
		return nil, fmt.Errorf("decode release of encoding %d: %w", version, ErrNewer)
	}
	var r Release
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, fmt.Errorf("decode release: %w", err)
	}
	return &r, nil
}

// Tracked says that the release applies nothing: somebody else does, and it is
// followed.
func (r *Release) Tracked() bool { return len(r.Objects) == 0 && len(r.Images) == 0 && r.Chart == nil }

// Digest is equal for equal content. It is "" where content cannot be compared:
// nothing is applied, or an image is named by a tag, which may move.
func (r *Release) Digest() (string, error) {
	if r.Tracked() {
		return "", nil
	}
	for _, image := range r.images() {
		if !strings.Contains(image, "@") {
			return "", nil
		}
	}
	content := *r
	content.Version, content.Written = "", nil
	data, err := content.Encode()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}

// images are all that the release names.
func (r *Release) images() []string {
	var found []string
	for _, image := range r.Images {
		found = append(found, image)
	}
	for _, object := range r.Objects {
		EachContainer(object, func(_ []any, container map[string]any) {
			if image, ok := container["image"].(string); ok {
				found = append(found, image)
			}
		})
	}
	return found
}
