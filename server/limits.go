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
	// handshakeTimeout is how long a new connection may take to say something sensible.
	handshakeTimeout = 20 * time.Second

	// Requests are small, so fixed windows of the least size cost no speed, and a client cannot make the server hold
	// more than this. They bound what is received, not what is sent.
	streamWindow     = 64 << 10
	connectionWindow = 1 << 20

	// pingAfter and pingTimeout find peers that vanished without a word. A client that is alive and does not read still
	// answers pings.
	pingAfter   = time.Minute
	pingTimeout = 20 * time.Second
	// minClientPing is the shortest interval at which clients may ping, also between calls: the shortest that grpc-go's
	// client can be set to.
	minClientPing = 10 * time.Second
)

func serverOptions(opts Options) []grpc.ServerOption {
	unary, stream := callInterceptors(opts.Logger)
	return []grpc.ServerOption{
		grpc.ChainUnaryInterceptor(unary...),
		grpc.ChainStreamInterceptor(stream...),
		grpc.MaxRecvMsgSize(opts.MaxRecvBytes),
		grpc.MaxSendMsgSize(opts.MaxMessageBytes),
		grpc.MaxHeaderListSize(maxHeaderBytes),
		grpc.MaxConcurrentStreams(maxStreamsPerConnection),
		grpc.StaticStreamWindowSize(streamWindow),
		grpc.StaticConnWindowSize(connectionWindow),
		grpc.ConnectionTimeout(handshakeTimeout),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: pingAfter, Timeout: pingTimeout}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: minClientPing, PermitWithoutStream: true}),
		grpc.WaitForHandlers(true),
	}
}
