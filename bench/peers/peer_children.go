// The Go peer's cases about child processes: os/exec, a goroutine for each of those that run at a time.
package main

import (
	"bytes"
	"os/exec"
	"sync"
	"sync/atomic"
	"time"
)

const (
	childrenInAll = 500
	atATime       = 32
	kibibytes     = 100 * 1024
)

func children(count int64) time.Duration {
	start := time.Now()
	left := count
	var all sync.WaitGroup
	all.Add(atATime)
	for each := 0; each < atATime; each++ {
		go func() {
			for atomic.AddInt64(&left, -1) >= 0 {
				if err := exec.Command("/bin/true").Run(); err != nil {
					panic(err)
				}
			}
			all.Done()
		}()
	}
	all.Wait()
	return time.Since(start)
}

func communicate(count int64) time.Duration {
	sent := bytes.Repeat([]byte("x"), int(count)*1024)
	start := time.Now()
	command := exec.Command("/bin/cat")
	command.Stdin = bytes.NewReader(sent)
	got, err := command.Output()
	if err != nil || len(got) != len(sent) {
		panic("cat failed")
	}
	return time.Since(start)
}
