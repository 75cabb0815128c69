package wire

import (
	"context"
	"fmt"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	pluginv1 "github.com/apm-deploy/apm/api/plugin/v1"
	"github.com/apm-deploy/apm/sdk"
)

// Deadlines of calls whose context has none.
const (
	describeTimeout  = 10 * time.Second
	acceptTimeout    = 60 * time.Second // Deploy, Rollback, Promote, Cancel, Recover
	configureTimeout = 60 * time.Second
	lookTimeout      = 60 * time.Second // Probe, Inventory
	readTimeout      = 10 * time.Minute // Resolve, Snapshot, Plan: they read artifacts
	drainSlack       = 5 * time.Second  // over the grace that Drain was given
)

// Client is the host's side of a plugin. It implements [sdk.Platform] and every
// optional interface; what the plugin really can do is said by
// [Client.Capabilities]. It is safe for concurrent use.
//
// The error of a call is an [*sdk.Error] when the plugin answered, matches
// context.Canceled or context.DeadlineExceeded when the caller's context ended,
// and matches [sdk.ErrPluginGone] when the plugin is gone or hangs.
type Client struct {
	rpc       pluginv1.PlatformClient
	silence   time.Duration
	unchecked bool

	mu          sync.Mutex
	description *sdk.Description
}

// Everything that the host may ask for.
var (
	_ sdk.Platform        = (*Client)(nil)
	_ sdk.Validator       = (*Client)(nil)
	_ sdk.Planner         = (*Client)(nil)
	_ sdk.PercentPromoter = (*Client)(nil)
	_ sdk.Canceller       = (*Client)(nil)
	_ sdk.TargetWatcher   = (*Client)(nil)
	_ sdk.LogReader       = (*Client)(nil)
	_ sdk.HealthReporter  = (*Client)(nil)
	_ sdk.Inventorier     = (*Client)(nil)
	_ sdk.Drainer         = (*Client)(nil)
)

// ClientOption changes a default of [NewClient].
type ClientOption func(*Client)

// WithSilence sets the silence on Watch after which the stream is given up,
// instead of [SilenceLimit].
func WithSilence(limit time.Duration) ClientOption { return func(c *Client) { c.silence = limit } }

// WithoutLimits lets messages pass that break the limits of the contract. It is
// for the conformance suite, which asks plugins to refuse them.
func WithoutLimits() ClientOption { return func(c *Client) { c.unchecked = true } }

// NewClient returns the platform on the far side of conn, which should be dialled
// with [DialOptions].
func NewClient(conn grpc.ClientConnInterface, options ...ClientOption) *Client {
	c := &Client{rpc: pluginv1.NewPlatformClient(conn), silence: SilenceLimit}
	for _, option := range options {
		option(c)
	}
	return c
}

// Describe returns what the plugin says about itself. The first answer is kept:
// it is the same for the life of the process.
func (c *Client) Describe(ctx context.Context) (sdk.Description, error) {
	c.mu.Lock()
	known := c.description
	c.mu.Unlock()
	if known != nil {
		return *known, nil
	}
	response, err := invoke(ctx, c, "Describe", describeTimeout, c.rpc.Describe, &pluginv1.DescribeRequest{})
	if err != nil {
		return sdk.Description{}, err
	}
	description := descriptionFromProto(response)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.description = &description
	return description, nil
}

// Capabilities returns what the plugin can do; nothing when it cannot be asked.
// Call Describe first to learn of that error.
func (c *Client) Capabilities() sdk.Capabilities {
	description, err := c.Describe(context.Background())
	if err != nil {
		return sdk.Capabilities{}
	}
	return description.Capabilities
}

// invoke makes one unary call under a deadline: the caller's, or else timeout.
func invoke[Q, R proto.Message](
	ctx context.Context, c *Client, method string, timeout time.Duration,
	call func(context.Context, Q, ...grpc.CallOption) (R, error), request Q,
) (R, error) {
	var none R
	if err := c.check(method, request); err != nil {
		return none, err
	}
	callCtx, ownDeadline := ctx, false
	if _, has := ctx.Deadline(); !has {
		var cancel context.CancelFunc
		callCtx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
		ownDeadline = true
	}
	answer := newReading()
	response, err := call(callCtx, request, append(c.callOptions(), grpc.ForceCodecV2(answer))...)
	if err != nil {
		if bug := answer.nonsense(method); bug != nil {
			return none, bug
		}
		return none, c.failed(ctx, method, request, err, ownDeadline)
	}
	return response, nil
}

// check refuses what gRPC would refuse without saying whose mistake it is.
func (c *Client) check(method string, request proto.Message) error {
	if c.unchecked {
		return nil
	}
	if err := checkRequestLimits(request); err != nil {
		return err
	}
	if size := proto.Size(request); size > sdk.MaxMessage {
		return tooLarge(fmt.Sprintf("the request of %s", method), size, sdk.MaxMessage)
	}
	return nil
}

// failed is the error of a call. gRPC does not say which text of a request it
// could not encode.
func (c *Client) failed(ctx context.Context, method string, request proto.Message, err error, ownDeadline bool) error {
	if field := firstInvalid(request.ProtoReflect()); field != "" && !c.unchecked {
		return sdk.Errorf(sdk.InvalidArgument, sdk.ReasonInvalidSpec, "field %s of %s is not valid UTF-8", field, method)
	}
	return errorOf(ctx, method, err, ownDeadline)
}

func (c *Client) callOptions() []grpc.CallOption {
	if c.unchecked {
		return []grpc.CallOption{grpc.MaxCallSendMsgSize(4 * sdk.MaxMessage)}
	}
	return nil
}
