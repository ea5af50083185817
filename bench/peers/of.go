package peers

import (
	"net/http"

	"github.com/stocktake/stocktake/internal/testserver"
)

// Of is a running Stocktake as a Server, whose end remains the caller's to
// bring about.
func Of(server *testserver.Server) *Server {
	return &Server{
		Peer: All[0], base: server.URL(), pid: server.PID(),
		client: &http.Client{Transport: &http.Transport{
			MaxIdleConnsPerHost: 128, DisableCompression: true,
			WriteBufferSize: 64 << 10, ReadBufferSize: 64 << 10,
		}},
	}
}
