// Package seal encrypts what is sealed at rest. Each value has a key of its own,
// which is encrypted by the installation's key and stored with it, and is bound
// to the identity of its row: moved to another row it cannot be opened. The key
// lies in the data directory, never in the database.
package seal

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/apm-deploy/apm/host/internal/deployment"
)

// KeyFile is the name of the key in the data directory: a keyset, so that older
// keys still open what they sealed after a newer one is the primary.
const KeyFile = "seal.key"

// Sealer encrypts and decrypts. It is safe for concurrent use.
type Sealer struct{ aead tink.AEAD }

// Open reads the key of a data directory. Where there is none it is made, but
// only while there is nothing that it would have to open: databaseExists says
// whether there is a database. Errors are *deployment.Error and name the file
// and the remedy.
func Open(directory string, databaseExists bool) (*Sealer, error) {
	path := filepath.Join(directory, KeyFile)
	handle, err := read(path)
	if errors.Is(err, fs.ErrNotExist) {
		if databaseExists {
			return nil, refuse(err, "put back the "+KeyFile+" that was made with the database; without it the history cannot be read (to begin with an empty history, move the database away)",
				"key %s is missing, but there is a database that was sealed with it", path)
		}
		handle, err = create(path)
	}
	if err != nil {
		return nil, err
	}
	primitive, err := aead.New(handle)
	if err != nil {
		return nil, refuse(err, "restore it from a backup", "key %s cannot be used", path)
	}
	return &Sealer{aead: aead.NewKMSEnvelopeAEAD2(aead.AES256GCMKeyTemplate(), primitive)}, nil
}

// Seal encrypts plaintext for a row.
func (s *Sealer) Seal(plaintext, associated []byte) ([]byte, error) {
	sealed, err := s.aead.Encrypt(plaintext, associated)
	if err != nil {
		return nil, fmt.Errorf("seal %q: %w", associated, err)
	}
	return sealed, nil
}

// Open decrypts what was sealed for the same row.
func (s *Sealer) Open(sealed, associated []byte) ([]byte, error) {
	plaintext, err := s.aead.Decrypt(sealed, associated)
	if err != nil {
		return nil, fmt.Errorf("open %q: %w", associated, err)
	}
	return plaintext, nil
}

// read returns the key in a file that nobody else may read.
func read(path string) (*keyset.Handle, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, cannotRead(err, path)
	}
	// Windows has no such bits.
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		return nil, refuse(nil, "chmod 600 "+path, "key %s is open to others (mode %04o)", path, mode)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, cannotRead(err, path)
	}
	handle, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(data)))
	if err != nil {
		return nil, refuse(err, "restore it from a backup", "key %s is damaged", path)
	}
	return handle, nil
}

func cannotRead(err error, path string) error {
	cause := err
	var file *fs.PathError
	if errors.As(err, &file) {
		cause = file.Err
	}
	return refuse(err, "give the user that runs apm the right to read it", "key %s cannot be read: %v", path, cause)
}

// create makes a key. It is on the disk before anything is sealed with it, and
// never replaces another.
func create(path string) (*keyset.Handle, error) {
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, fmt.Errorf("make key: %w", err)
	}
	var text bytes.Buffer
	if err := insecurecleartextkeyset.Write(handle, keyset.NewJSONWriter(&text)); err != nil {
		return nil, fmt.Errorf("encode key: %w", err)
	}
	if err := persist(path, text.Bytes()); err != nil {
		return nil, refuse(err, "give the user that runs apm the right to write the data directory, or name another one",
			"key %s cannot be made", path)
	}
	// Another process may have been first; what is in the file counts.
	return read(path)
}

// persist writes the file whole or not at all.
func persist(path string, data []byte) error {
	directory := filepath.Dir(path)
	file, err := os.CreateTemp(directory, KeyFile+".*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(file.Name()) }()
	_, err = file.Write(data)
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := os.Link(file.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	parent, err := os.Open(directory)
	if err != nil {
		return err
	}
	return errors.Join(parent.Sync(), parent.Close())
}

func refuse(err error, remedy, format string, arguments ...any) error {
	return &deployment.Error{
		Code: deployment.Unavailable, Message: fmt.Sprintf(format, arguments...), Remedy: remedy, Err: err,
	}
}
