// SPDX-License-Identifier: MPL-2.0

// What Cluster API's provider does with a host, by the same library: a new client for each call,
// TLS with a client certificate, the token as Basic, the calls in its order, and of the answers
// what it looks at.
//
//	capmvm DESCRIPTORS HOST:PORT FOLDER-OF-CERTIFICATES TOKEN LAYOUT
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

const service = "microvm.services.api.v1alpha1."

type basic struct{ token string }

func (b basic) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Basic " + base64.StdEncoding.EncodeToString([]byte(b.token))}, nil
}

func (basic) RequireTransportSecurity() bool { return true }

type host struct {
	files           *protoregistry.Files
	address, folder string
	token           string
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func (h *host) message(name, text string) *dynamicpb.Message {
	descriptor, err := h.files.FindDescriptorByName(protoreflect.FullName(service + name))
	must(err)
	made := dynamicpb.NewMessage(descriptor.(protoreflect.MessageDescriptor))
	must(protojson.Unmarshal([]byte(text), made))
	return made
}

func (h *host) dial() *grpc.ClientConn {
	pair, err := tls.LoadX509KeyPair(h.folder+"/client.pem", h.folder+"/client.key")
	must(err)
	authority, err := os.ReadFile(h.folder + "/ca.pem")
	must(err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	config := &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: roots, Certificates: []tls.Certificate{pair}}
	connection, err := grpc.NewClient(h.address, grpc.WithTransportCredentials(credentials.NewTLS(config)),
		grpc.WithPerRPCCredentials(basic{h.token}))
	must(err)
	return connection
}

// call makes one call on a connection of its own; the answer is empty with an error.
func (h *host) call(method, request, answer, text string) (map[string]any, error) {
	connection := h.dial()
	defer connection.Close()
	within, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	reply := dynamicpb.NewMessage(emptyDescriptor(h, answer))
	err := connection.Invoke(within, "/"+service+"MicroVM/"+method, h.message(request, text), reply)
	if err != nil {
		return nil, err
	}
	return fields(reply), nil
}

func emptyDescriptor(h *host, name string) protoreflect.MessageDescriptor {
	if !strings.Contains(name, ".") {
		name = service + name
	}
	descriptor, err := h.files.FindDescriptorByName(protoreflect.FullName(name))
	must(err)
	return descriptor.(protoreflect.MessageDescriptor)
}

// fields holds what the provider dereferences: spec.uid, status (there or not), its state.
func fields(reply *dynamicpb.Message) map[string]any {
	got := map[string]any{}
	field := reply.Descriptor().Fields().ByName("microvm")
	if field == nil {
		return got
	}
	microvm := reply.Get(field).Message()
	spec := microvm.Get(microvm.Descriptor().Fields().ByName("spec")).Message()
	status := microvm.Descriptor().Fields().ByName("status")
	got["uid"] = spec.Get(spec.Descriptor().Fields().ByName("uid")).String()
	got["metadata"] = fmt.Sprint(spec.Get(spec.Descriptor().Fields().ByName("metadata")).Map().
		Get(protoreflect.ValueOfString("meta-data").MapKey()))
	got["has status"] = microvm.Has(status)
	state := microvm.Get(status).Message()
	got["state"] = int(state.Get(state.Descriptor().Fields().ByName("state")).Enum())
	return got
}

func read(path string) *protoregistry.Files {
	bytes, err := os.ReadFile(path)
	must(err)
	set := &descriptorpb.FileDescriptorSet{}
	must(proto.Unmarshal(bytes, set))
	files, err := protodesc.NewFiles(set)
	must(err)
	return files
}

// template is the spec as the provider fills it in, on a tap.
func template(layout string) string {
	metadata := base64.StdEncoding.EncodeToString([]byte("local_hostname: node0\nplatform: liquid_metal\n"))
	return fmt.Sprintf(`{"microvm": {"id": "node0", "namespace": "default", "labels": {"cluster": "c0"}, "provider": "",
		"vcpu": 2, "memoryInMb": 1024,
		"kernel": {"image": "oci:%[1]s:kernel", "filename": "boot/vmlinux", "addNetworkConfig": true},
		"rootVolume": {"id": "root", "source": {"containerSource": "oci:%[1]s:root"}, "sizeInMb": 16},
		"additionalVolumes": [{"id": "modules", "isReadOnly": true, "mountPoint": "/lib/modules",
			"source": {"containerSource": "oci:%[1]s:root"}, "sizeInMb": 16}],
		"metadata": {"meta-data": "%[2]s", "user-data": "I2Nsb3VkLWNvbmZpZwo="}}}`, layout, metadata)
}

func (h *host) get(uid string) (map[string]any, error) {
	return h.call("GetMicroVM", "GetMicroVMRequest", "GetMicroVMResponse", fmt.Sprintf(`{"uid": %q}`, uid))
}

// until asks as the provider does, by state numbers and by the words of errors.
func (h *host) until(uid string, done func(map[string]any, error) bool) {
	for end := time.Now().Add(40 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		got, err := h.get(uid)
		if done(got, err) {
			return
		}
		if time.Now().After(end) {
			must(fmt.Errorf("%s: %v, %v", uid, got, err))
		}
	}
}

func isNotFound(err error) bool { return err != nil && strings.Contains(err.Error(), "not found") }

func main() {
	h := &host{read(os.Args[1]), os.Args[2], os.Args[3], os.Args[4]}
	made, err := h.call("CreateMicroVM", "CreateMicroVMRequest", "CreateMicroVMResponse", template(os.Args[5]))
	must(err)
	uid := made["uid"].(string)
	metadata, _ := base64.StdEncoding.DecodeString(made["metadata"].(string))
	if len(uid) != 26 || made["has status"] != true || made["state"] != 0 ||
		!strings.Contains(string(metadata), "instance_id: "+uid) {
		must(fmt.Errorf("create: %v %s", made, metadata))
	}
	h.until(uid, func(got map[string]any, err error) bool { must(err); return got["state"] == 1 })
	_, err = h.call("DeleteMicroVM", "DeleteMicroVMRequest", "google.protobuf.Empty", fmt.Sprintf(`{"uid": %q}`, uid))
	must(err)
	h.until(uid, func(got map[string]any, err error) bool { return isNotFound(err) })
	_, err = h.call("DeleteMicroVM", "DeleteMicroVMRequest", "google.protobuf.Empty", `{"uid": ""}`)
	if !isNotFound(err) {
		must(fmt.Errorf("delete of nothing: %v", err))
	}
	h.token = "wrong"
	if _, err = h.get(uid); err == nil || isNotFound(err) {
		must(fmt.Errorf("a wrong token: %v", err))
	}
	fmt.Println("all as wanted")
}
