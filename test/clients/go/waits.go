package main

import (
	"context"
	"encoding/json"
	"os"
	"sync"
	"time"

	"cloud.google.com/go/longrunning"
	lroauto "cloud.google.com/go/longrunning/autogen"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
)

// waits waits for operations, all at the same time, and prints as one JSON object how each ended.
//
// Arguments: HOST:PORT CANCEL, then pairs of wait or poll and the name of an operation: by WaitOperation, or by Google's
// polling helper. CANCEL names an operation that is cancelled first.
func waits(address, cancel string, pairs []string) {
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	must(err)
	client, err := lroauto.NewOperationsClient(ctx, option.WithGRPCConn(conn))
	must(err)
	must(client.CancelOperation(ctx, &longrunningpb.CancelOperationRequest{Name: cancel}))
	seen, lock, all := map[string]any{}, sync.Mutex{}, sync.WaitGroup{}
	for at := 0; at < len(pairs); at += 2 {
		how, name := pairs[at], pairs[at+1]
		all.Go(func() {
			var end any
			if how == "wait" {
				end = waitFor(ctx, client, name)
			} else {
				operation := longrunning.InternalNewOperation(client, &longrunningpb.Operation{Name: name})
				end = describe(operation.WaitWithInterval(ctx, nil, 500*time.Millisecond))
			}
			lock.Lock()
			defer lock.Unlock()
			seen[how+" "+name] = end
		})
	}
	all.Wait()
	must(json.NewEncoder(os.Stdout).Encode(seen))
}

// waitFor waits until it is done, however often that has to be asked.
func waitFor(ctx context.Context, client *lroauto.OperationsClient, name string) any {
	for {
		op, err := client.WaitOperation(ctx, &longrunningpb.WaitOperationRequest{
			Name: name, Timeout: durationpb.New(30 * time.Second),
		})
		if err != nil {
			return describe(err)
		}
		if op.GetDone() {
			return describe(status.ErrorProto(op.GetError()))
		}
	}
}
