package httpapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 30 * time.Second
	writeTimeout      = 60 * time.Second
	idleTimeout       = 60 * time.Second
	maxHeaderBytes    = 32 << 10
	drainTimeout      = 10 * time.Second
)

// Serve answers on the listener until ctx ends, then lets the requests under way finish within 10 seconds. It closes the
// listener. It returns nil after ctx ended.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	return s.run(ctx, l, s.Handler(), writeTimeout)
}

// ServeHandler does the same with a handler of the caller's: where the config changes while the process lives, another
// Server answers from then on, on the same listener.
func (s *Server) ServeHandler(ctx context.Context, l net.Listener, h http.Handler) error {
	return s.run(ctx, l, h, writeTimeout)
}

// ServeMetrics does the same for the metrics' own listener.
func (s *Server) ServeMetrics(ctx context.Context, l net.Listener) error {
	return s.run(ctx, l, s.MetricsHandler(), writeTimeout)
}

func (s *Server) run(ctx context.Context, l net.Listener, h http.Handler, write time.Duration) error {
	server := &http.Server{
		Handler: h, ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout, WriteTimeout: write, IdleTimeout: idleTimeout,
		MaxHeaderBytes: maxHeaderBytes, ErrorLog: slog.NewLogLogger(s.config.Log.Handler(), slog.LevelDebug),
		BaseContext: func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	server.RegisterOnShutdown(s.follows.stop)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve http on %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	err := server.Shutdown(drain)
	if err != nil {
		err = errors.Join(err, server.Close())
	}
	if end := <-ended; !errors.Is(end, http.ErrServerClosed) {
		err = errors.Join(err, end)
	}
	if err != nil {
		return fmt.Errorf("stop http on %s: %w", l.Addr(), err)
	}
	return nil
}
