package testceph

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"sync"
	"time"
)

// A process is a part of the cluster.
type process struct {
	name  string
	cmd   *exec.Cmd
	ended chan struct{} // closed when it has ended

	mu     sync.Mutex
	output bytes.Buffer
}

func run(name string, args ...string) (*process, error) {
	p := &process{name: name, cmd: exec.Command(name, args...), ended: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = p, p
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.ended)
		_ = p.cmd.Wait() // how it ended stands in its output
	}()
	return p, nil
}

// Write takes what the process prints.
func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.output.Write(b)
}

// printed returns the last that the process has printed.
func (p *process) printed() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return string(p.output.Bytes()[max(0, p.output.Len()-3000):])
}

// kill ends the process as a crash would, and waits for its end.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended already
	<-p.ended
}

// await asks until the process is ready, has ended, or patience has.
func (p *process) await(ctx context.Context, ready func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-p.ended:
			return errors.New("it has ended")
		case <-ctx.Done():
			return err
		}
	}
}
