package main

import (
	"context"
	"encoding/json"
	"os"
	"time"

	lroauto "cloud.google.com/go/longrunning/autogen"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// retries gets one operation with a retry policy, and prints the code of the outcome.
//
// Arguments: native, for grpc-go's own policy in the service config, or gax, for what Google's client does by itself;
// HOST:PORT; the operation's name; the service config as JSON.
func retries(kind, address, name, serviceConfig string) {
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	options := []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}
	if kind == "native" {
		options = append(options, grpc.WithDefaultServiceConfig(serviceConfig))
	}
	conn, err := grpc.NewClient(address, options...)
	must(err)
	request := &longrunningpb.GetOperationRequest{Name: name}
	if kind == "native" {
		_, err = longrunningpb.NewOperationsClient(conn).GetOperation(ctx, request)
	} else {
		var client *lroauto.OperationsClient
		client, err = lroauto.NewOperationsClient(ctx, option.WithGRPCConn(conn))
		must(err)
		_, err = client.GetOperation(ctx, request)
	}
	must(json.NewEncoder(os.Stdout).Encode(describe(err)))
}
