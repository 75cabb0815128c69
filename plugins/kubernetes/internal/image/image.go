// Package image finds out what the tag of an image stands for, by asking its
// registry, so that what was accepted is what runs however the tag moves.
//
// It must never fetch an image, and never change one: a registry that cannot be asked
// leaves the tag as it is, and whoever asked is told why.
package image

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	utilnet "k8s.io/apimachinery/pkg/util/net"
)

// Why a tag could not be looked up.
var (
	ErrName        = errors.New("no name of an image")
	ErrNotFound    = errors.New("the registry does not have it")
	ErrDenied      = errors.New("the registry does not show it to the credentials at hand")
	ErrUnreachable = errors.New("the registry cannot be asked")
)

// DefaultTimeout bounds the look at all images of a release.
const DefaultTimeout = 8 * time.Second

const atOnce = 8

// Registries looks tags up.
type Registries struct {
	// Keychain has the credentials; those of this machine's user (~/.docker/config.json)
	// if nil.
	Keychain authn.Keychain
	// Timeout is for all images together; DefaultTimeout if 0.
	Timeout time.Duration
}

// Check says whether a text can be the name of an image: the error is an [ErrName].
func Check(image string) error {
	_, err := parse(image)
	return err
}

func parse(image string) (name.Reference, error) {
	ref, err := name.ParseReference(image)
	if err != nil || strings.ContainsAny(image, " \t\n") || image == "" {
		return nil, fmt.Errorf("%q is %w", image, ErrName)
	}
	return ref, nil
}

// Pinned says whether an image is named by digest.
func Pinned(image string) bool { return strings.Contains(image, "@") }

// Answer is what an image is: Pinned names it by digest, behind what was written
// ("app:v1@sha256:…"), or Err says why it could not be looked up and Pinned is what
// was written.
type Answer struct {
	Pinned string
	Err    error
}

// Pin looks images up, several at once. The answer has each of them.
func (r Registries) Pin(ctx context.Context, images []string) map[string]Answer {
	timeout := r.Timeout
	if timeout == 0 {
		timeout = DefaultTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	answers := make(map[string]Answer, len(images))
	var mu sync.Mutex
	var wg sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	for _, one := range images {
		mu.Lock()
		_, asked := answers[one]
		answers[one] = Answer{Pinned: one}
		mu.Unlock()
		if asked || Pinned(one) {
			continue
		}
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			digest, err := r.digest(ctx, one)
			answer := Answer{Pinned: one, Err: err}
			if err == nil {
				answer.Pinned = one + "@" + digest
			}
			mu.Lock()
			defer mu.Unlock()
			answers[one] = answer
		})
	}
	wg.Wait()
	return answers
}

// Close closes connections to registries that are idle.
func Close() { utilnet.CloseIdleConnectionsFor(remote.DefaultTransport) }

func (r Registries) digest(ctx context.Context, image string) (string, error) {
	ref, err := parse(image)
	if err != nil {
		return "", err
	}
	keychain := r.Keychain
	if keychain == nil {
		keychain = authn.DefaultKeychain
	}
	options := []remote.Option{
		remote.WithContext(ctx), remote.WithAuthFromKeychain(keychain), remote.WithUserAgent("apm"),
		remote.WithRetryBackoff(remote.Backoff{Duration: 200 * time.Millisecond, Factor: 2, Steps: 2}),
	}
	descriptor, err := remote.Head(ref, options...)
	if err == nil {
		return descriptor.Digest.String(), nil
	}
	if known := reason(err); !errors.Is(known, ErrUnreachable) || ctx.Err() != nil {
		return "", known
	}
	full, again := remote.Get(ref, options...) // some answer no HEAD
	if again != nil {
		return "", reason(again)
	}
	return full.Digest.String(), nil
}

// reason says which of the errors of this package one of a registry is.
func reason(err error) error {
	var answer *transport.Error
	if !errors.As(err, &answer) {
		return fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	switch answer.StatusCode {
	case http.StatusNotFound:
		return fmt.Errorf("%w: %w", ErrNotFound, err)
	case http.StatusUnauthorized, http.StatusForbidden:
		return fmt.Errorf("%w: %w", ErrDenied, err)
	default:
		return fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
}
