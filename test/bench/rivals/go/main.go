// The Go servers that the bench compares the gateway with: `rivals KIND UPSTREAM_PORT [CERTIFICATE KEY]`, where KIND
// is grpc-go, connect-go or vanguard; with a certificate over TLS. Each does the job as its documentation shows,
// without any check of its own.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"connectrpc.com/connect"
	"connectrpc.com/vanguard"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	_ "bench/healthcare"
)

var (
	upstream = "http://127.0.0.1:" + os.Args[2]
	// As many idle connections as there are calls in flight; the default of two would open one for nearly every call.
	transport = &http.Transport{MaxIdleConnsPerHost: 128, DisableCompression: true}
	client    = &http.Client{Transport: transport}
	fromJSON  = protojson.UnmarshalOptions{DiscardUnknown: true}
)

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("listening on %s\n", listener.Addr())
	switch kind := os.Args[1]; kind {
	case "grpc-go":
		server := grpc.NewServer(serverOptions()...)
		longrunningpb.RegisterOperationsServer(server, &grpcServer{})
		log.Fatal(server.Serve(listener))
	case "connect-go":
		log.Fatal(serve(listener, connectHandler()))
	case "vanguard":
		log.Fatal(serve(listener, vanguardHandler()))
	default:
		log.Fatalf("unknown kind %q", kind)
	}
}

func serve(listener net.Listener, handler http.Handler) error {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{Handler: handler, Protocols: protocols}
	if len(os.Args) > 4 {
		protocols.SetHTTP2(true)
		return server.ServeTLS(listener, os.Args[3], os.Args[4])
	}
	return server.Serve(listener)
}

func serverOptions() []grpc.ServerOption {
	if len(os.Args) <= 4 {
		return nil
	}
	pair, err := credentials.NewServerTLSFromFile(os.Args[3], os.Args[4])
	if err != nil {
		log.Fatal(err)
	}
	return []grpc.ServerOption{grpc.Creds(pair)}
}

// call makes the REST request and decodes its answer.
func call(ctx context.Context, method, path string, into proto.Message) error {
	request, err := http.NewRequestWithContext(ctx, method, upstream+path, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return status.Error(codes.Unknown, response.Status)
	}
	return fromJSON.Unmarshal(body, into)
}

func get(ctx context.Context, request *longrunningpb.GetOperationRequest) (*longrunningpb.Operation, error) {
	answer := new(longrunningpb.Operation)
	return answer, call(ctx, http.MethodGet, "/v1beta1/"+request.Name, answer)
}

func list(ctx context.Context, request *longrunningpb.ListOperationsRequest) (*longrunningpb.ListOperationsResponse, error) {
	answer := new(longrunningpb.ListOperationsResponse)
	path := fmt.Sprintf("/v1beta1/%s/operations?pageSize=%d", request.Name, request.PageSize)
	return answer, call(ctx, http.MethodGet, path, answer)
}

func cancel(ctx context.Context, request *longrunningpb.CancelOperationRequest) (*emptypb.Empty, error) {
	answer := new(emptypb.Empty)
	return answer, call(ctx, http.MethodPost, "/v1beta1/"+request.Name+":cancel", answer)
}

type grpcServer struct {
	longrunningpb.UnimplementedOperationsServer
}

func (*grpcServer) GetOperation(ctx context.Context, request *longrunningpb.GetOperationRequest) (*longrunningpb.Operation, error) {
	return get(ctx, request)
}

func (*grpcServer) ListOperations(ctx context.Context, request *longrunningpb.ListOperationsRequest) (*longrunningpb.ListOperationsResponse, error) {
	return list(ctx, request)
}

func (*grpcServer) CancelOperation(ctx context.Context, request *longrunningpb.CancelOperationRequest) (*emptypb.Empty, error) {
	return cancel(ctx, request)
}

func connectHandler() http.Handler {
	const service = "/google.longrunning.Operations/"
	mux := http.NewServeMux()
	mux.Handle(service+"GetOperation", unary(service+"GetOperation", get))
	mux.Handle(service+"ListOperations", unary(service+"ListOperations", list))
	mux.Handle(service+"CancelOperation", unary(service+"CancelOperation", cancel))
	return mux
}

func unary[In, Out any](procedure string, handle func(context.Context, *In) (*Out, error)) http.Handler {
	return connect.NewUnaryHandler(procedure, func(ctx context.Context, request *connect.Request[In]) (*connect.Response[Out], error) {
		answer, err := handle(ctx, request.Msg)
		if err != nil {
			return nil, err
		}
		return connect.NewResponse(answer), nil
	})
}

func vanguardHandler() http.Handler {
	target, err := url.Parse(upstream)
	if err != nil {
		log.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{
		Rewrite:   func(request *httputil.ProxyRequest) { request.SetURL(target) },
		Transport: transport,
	}
	service := vanguard.NewService("google.longrunning.Operations", proxy, vanguard.WithTargetProtocols(vanguard.ProtocolREST))
	const selector = "google.longrunning.Operations."
	handler, err := vanguard.NewTranscoder([]*vanguard.Service{service}, vanguard.WithRules(
		&annotations.HttpRule{
			Selector: selector + "GetOperation",
			Pattern:  &annotations.HttpRule_Get{Get: "/v1beta1/{name=projects/*/locations/*/datasets/*/operations/*}"},
		},
		&annotations.HttpRule{
			Selector: selector + "ListOperations",
			Pattern:  &annotations.HttpRule_Get{Get: "/v1beta1/{name=projects/*/locations/*/datasets/*}/operations"},
		},
		&annotations.HttpRule{
			Selector: selector + "CancelOperation",
			Pattern:  &annotations.HttpRule_Post{Post: "/v1beta1/{name=projects/*/locations/*/datasets/*/operations/*}:cancel"},
		},
	))
	if err != nil {
		log.Fatal(err)
	}
	return handler
}
