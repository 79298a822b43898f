package server

import (
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"
)

const (
	// maxStreamsPerConnection is the maximum number of concurrent calls on a connection.
	maxStreamsPerConnection = 256
	// maxHeaderBytes is the maximum size of a request's headers. gRPC's default is 16 MiB.
	maxHeaderBytes = 64 << 10
	// strangersShare is the reciprocal of the share of connections available to clients without an authenticated call.
	strangersShare = 4
	// maxProbes is the maximum number of connections of a listener that serves only health.
	maxProbes = 128
	// The flow-control windows limit how much received data the server holds for a client. Requests are small, so fixed
	// windows of the minimum size cost no speed. They do not limit what is sent.
	streamWindow     = 64 << 10
	connectionWindow = 1 << 20

	// pingAfter and pingTimeout control keepalive pings, which detect peers that are gone. A client that is alive but not
	// reading still answers pings.
	pingAfter   = time.Minute
	pingTimeout = 20 * time.Second
	// readBuffer is the size of each connection's read buffer. Connections hold it even when idle; requests are small.
	readBuffer = 8 << 10
	// writeBuffer is the maximum size of a write, enough for a message of records. It takes an eighth of the system calls of
	// gRPC's default, 32 KiB. Connections share the buffers and hold one only while they write.
	writeBuffer = 256 << 10
)

func serverOptions(opts Options, gate *gate) []grpc.ServerOption {
	unary, stream := callInterceptors(opts, gate)
	return []grpc.ServerOption{
		grpc.Creds(opts.Credentials),
		grpc.InTapHandle(attachLifeline),
		grpc.ForceServerCodecV2(newCodec()),
		grpc.WriteBufferSize(writeBuffer),
		grpc.ChainUnaryInterceptor(unary...),
		grpc.ChainStreamInterceptor(stream...),
		grpc.MaxRecvMsgSize(opts.MaxRecvBytes),
		grpc.MaxSendMsgSize(opts.MaxMessageBytes),
		grpc.MaxHeaderListSize(maxHeaderBytes),
		grpc.MaxConcurrentStreams(maxStreamsPerConnection),
		grpc.StaticStreamWindowSize(streamWindow),
		grpc.StaticConnWindowSize(connectionWindow),
		grpc.ReadBufferSize(readBuffer),
		grpc.ConnectionTimeout(opts.HandshakeTimeout),
		grpc.KeepaliveParams(keepalive.ServerParameters{
			Time: pingAfter, Timeout: pingTimeout,
			MaxConnectionIdle: opts.ConnectionIdle, MaxConnectionAge: opts.ConnectionAge, MaxConnectionAgeGrace: opts.ConnectionAgeGrace,
		}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: opts.MinPing, PermitWithoutStream: true}),
		grpc.WaitForHandlers(true),
	}
}

// probeOptions returns the options of the server that serves only health.
func probeOptions(opts Options) []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.MaxRecvMsgSize(1 << 10),
		grpc.MaxHeaderListSize(8 << 10),
		grpc.MaxConcurrentStreams(8),
		grpc.ConnectionTimeout(opts.HandshakeTimeout),
		grpc.ReadBufferSize(readBuffer),
		grpc.KeepaliveParams(keepalive.ServerParameters{
			Time: pingAfter, Timeout: pingTimeout, MaxConnectionIdle: opts.ConnectionIdle,
		}),
		grpc.WaitForHandlers(true),
	}
}
