package server

import (
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"
)

const (
	// maxStreamsPerConnection bounds what one client can have running.
	maxStreamsPerConnection = 256
	// maxHeaderBytes bounds the headers of one request; gRPC's own default is 16 MiB.
	maxHeaderBytes = 64 << 10
	// strangersShare is the part of the connections that clients without a call yet may have: one in so many.
	strangersShare = 4
	// mostProbes bounds the connections of a listener that answers for health alone.
	mostProbes = 128
	// Requests are small, so fixed windows of the least size cost no speed, and a client cannot make the server hold
	// more than this. They bound what is received, not what is sent.
	streamWindow     = 64 << 10
	connectionWindow = 1 << 20

	// pingAfter and pingTimeout find peers that vanished without a word. A client that is alive and does not read still
	// answers pings.
	pingAfter   = time.Minute
	pingTimeout = 20 * time.Second
	// readBuffer is what a connection reads at once, whether it has calls or not: requests are small.
	readBuffer = 8 << 10
	// writeBuffer is what a connection writes at once: a message of records, for an eighth of the system calls of gRPC's
	// 32 KiB. Connections share such buffers, and hold one only while they write.
	writeBuffer = 256 << 10
)

func serverOptions(opts Options, gate *gate) []grpc.ServerOption {
	unary, stream := callInterceptors(opts, gate)
	return []grpc.ServerOption{
		grpc.Creds(opts.Credentials),
		grpc.InTapHandle(giveLifeline),
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

// probeOptions are those of the server that answers for health alone.
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
