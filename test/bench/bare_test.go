package main_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/protobuf/types/known/timestamppb"

	pluginv1 "github.com/apm-deploy/apm/api/plugin/v1"
	"github.com/apm-deploy/apm/sdk/wire"
)

// bare answers the calls of the benchmarks with grpc-go alone: one event per
// message, nothing between.
type bare struct {
	pluginv1.UnimplementedPlatformServer
}

// serveBare serves until the process is killed.
func serveBare(secure bool) error {
	var options []grpc.ServerOption
	encoded := ""
	if secure {
		hosts := x509.NewCertPool()
		if !hosts.AppendCertsFromPEM([]byte(os.Getenv(wire.EnvClientCert))) {
			return errors.New("no client certificate")
		}
		own, _, err := wire.NewCertificate()
		if err != nil {
			return err
		}
		encoded = base64.RawStdEncoding.EncodeToString(own.Certificate[0])
		options = append(options, grpc.Creds(credentials.NewTLS(&tls.Config{
			Certificates: []tls.Certificate{own}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: hosts, MinVersion: tls.VersionTLS12,
		})))
	}
	socket := filepath.Join(os.Getenv("PLUGIN_UNIX_SOCKET_DIR"), "s")
	listener, err := new(net.ListenConfig).Listen(context.Background(), "unix", socket)
	if err != nil {
		return err
	}
	server := grpc.NewServer(options...)
	pluginv1.RegisterPlatformServer(server, bare{})
	if _, err := fmt.Fprintf(os.Stdout, "1|1|unix|%s|grpc|%s\n", socket, encoded); err != nil {
		return err
	}
	return server.Serve(listener)
}

// Probe answers as the product's platform does.
func (bare) Probe(context.Context, *pluginv1.ProbeRequest) (*pluginv1.ProbeResponse, error) {
	return &pluginv1.ProbeResponse{
		Checks:         []*pluginv1.Check{{Name: "alive", Type: "process", Status: pluginv1.Check_STATUS_HEALTHY, Message: "3 of 3 ready"}},
		Revision:       revision,
		ObservedDigest: revision,
		Addresses:      map[string]string{"http": "127.0.0.1:8080"},
	}, nil
}

// Watch sends one event per message.
func (bare) Watch(r *pluginv1.WatchRequest, stream grpc.ServerStreamingServer[pluginv1.WatchResponse]) error {
	var want load
	if err := json.Unmarshal(r.GetTarget().GetSpec().GetJson(), &want); err != nil {
		return err
	}
	send := func(event *pluginv1.WatchEvent) error {
		event.ObservedAt = timestamppb.Now()
		return stream.Send(&pluginv1.WatchResponse{Events: []*pluginv1.WatchEvent{event}})
	}
	if err := send(&pluginv1.WatchEvent{Event: &pluginv1.WatchEvent_State{State: &pluginv1.State{Phase: pluginv1.Phase_PHASE_PROGRESSING}}}); err != nil {
		return err
	}
	for n := range want.Events {
		if err := want.next(); err != nil {
			return err
		}
		s := resources[n%len(resources)]
		if err := send(&pluginv1.WatchEvent{Event: &pluginv1.WatchEvent_Resource{Resource: &pluginv1.ResourceStatus{
			Id: s.ID, ParentId: s.ParentID, Kind: s.Kind, Name: s.Name, Revision: s.Revision,
			Health: pluginv1.ResourceHealth(s.Health), Desired: s.Desired, Ready: s.Ready, Message: s.Message,
		}}}); err != nil {
			return err
		}
	}
	return send(&pluginv1.WatchEvent{Event: &pluginv1.WatchEvent_Outcome{Outcome: &pluginv1.Outcome{Result: pluginv1.Outcome_RESULT_SUCCEEDED}}})
}
