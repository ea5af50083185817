package peers

import (
	"net/http"

	"github.com/stocktake/stocktake/internal/testserver"
)

// Of returns a running Stocktake as a Server. The caller still has to stop it.
func Of(server *testserver.Server) *Server {
	return &Server{
		Peer: All[0], base: server.URL(), pid: server.PID(),
		client: &http.Client{Transport: &http.Transport{
			MaxIdleConnsPerHost: 128, DisableCompression: true,
			WriteBufferSize: 64 << 10, ReadBufferSize: 64 << 10,
		}},
	}
}

// At returns the server at an address as a Server that can be listed but not stopped.
func At(name, base string) *Server { return &Server{Peer: Peer{Name: name}, base: base} }
