// The Go peer: an actor is a goroutine, its mailbox a channel. --loops is GOMAXPROCS. Go decides
// itself where a goroutine runs, so with two loops both ends may still share a processor.
package main

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

const (
	chunk      = 256
	ringSize   = 1000
	idleActors = 200000
	bufferSize = 16384
)

// perOperation returns nanoseconds per operation. run(n) does n operations and returns the time they
// took. The count doubles until a run is long enough to be believed, which is also the warm-up; then
// runs are added up until so many seconds have been measured.
func perOperation(seconds float64, chosen entry) float64 {
	run, limit := chosen.run, chosen.limit
	budget := time.Duration(seconds * 1e9)
	count := int64(8 * chunk)
	if chosen.fixed {
		count = limit
	}
	for run(count) < budget/8 && count*2 <= limit {
		count *= 2
	}
	var total time.Duration
	var operations int64
	for total < budget {
		total += run(count)
		operations += count
	}
	return float64(total.Nanoseconds()) / float64(operations)
}

// ring passes a token through size goroutines with unbuffered channels; two are a ping-pong.
func ring(size int) func(int64) time.Duration {
	return func(count int64) time.Duration {
		links := make([]chan int64, size)
		for i := range links {
			links[i] = make(chan int64)
		}
		done := make(chan struct{})
		left := count
		for i := range links {
			go func(inbox <-chan int64, next chan<- int64) {
				for value := range inbox {
					left--
					if left == 0 {
						close(done)
						return
					}
					next <- value + 1
				}
			}(links[i], links[(i+1)%size])
		}
		start := time.Now()
		links[0] <- 0
		<-done
		took := time.Since(start)
		// The token is gone, so all but its last holder wait for a message.
		for _, link := range links {
			close(link)
		}
		return took
	}
}

func fanIn(senders int64) func(int64) time.Duration {
	return func(count int64) time.Duration {
		inbox := make(chan int64, chunk)
		done := make(chan int64)
		start := time.Now()
		go func() {
			var sum int64
			for left := count; left > 0; left-- {
				sum += <-inbox
			}
			done <- sum
		}()
		for i := int64(0); i < senders; i++ {
			go func() {
				for n := int64(1); n <= count/senders; n++ {
					inbox <- n
					if n%chunk == 0 {
						runtime.Gosched()
					}
				}
			}()
		}
		<-done
		return time.Since(start)
	}
}

type question struct {
	value int64
	reply chan int64
}

// ask makes a reply channel for every question.
func ask(count int64) time.Duration {
	inbox := make(chan question)
	go func() {
		for q := range inbox {
			q.reply <- q.value + 1
		}
	}()
	done := make(chan struct{})
	start := time.Now()
	go func() {
		for value := int64(0); value < count; {
			reply := make(chan int64, 1)
			inbox <- question{value, reply}
			value = <-reply
		}
		close(done)
	}()
	<-done
	took := time.Since(start)
	close(inbox)
	return took
}

func spawn(count int64) time.Duration {
	done := make(chan struct{})
	alive := count
	start := time.Now()
	go func() {
		for i := int64(1); i <= count; i++ {
			inbox := make(chan int64, 1)
			go func() {
				<-inbox
				if atomic.AddInt64(&alive, -1) == 0 {
					close(done)
				}
			}()
			inbox <- i
			if i%chunk == 0 {
				runtime.Gosched()
			}
		}
	}()
	<-done
	return time.Since(start)
}

func residentBytes() float64 {
	content, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		fail(err)
	}
	pages, err := strconv.ParseFloat(strings.Fields(string(content))[1], 64)
	if err != nil {
		fail(err)
	}
	return pages * float64(os.Getpagesize())
}

func idle() float64 {
	inboxes := make([]chan int64, idleActors)
	runtime.GC()
	before := residentBytes()
	started := make(chan struct{}, chunk)
	for i := range inboxes {
		inboxes[i] = make(chan int64, 1)
		go func(inbox <-chan int64) {
			var state int64
			started <- struct{}{}
			for value := range inbox {
				state += value
			}
		}(inboxes[i])
		<-started
	}
	after := residentBytes()
	runtime.KeepAlive(inboxes)
	// The slice of inboxes was made before and is touched now.
	return (after-before)/idleActors - 8
}

func serve(connection net.Conn) {
	defer connection.Close()
	buffer := make([]byte, bufferSize)
	for {
		size, err := connection.Read(buffer)
		if err != nil {
			return
		}
		if _, err := connection.Write(buffer[:size]); err != nil {
			return
		}
	}
}

func serveEcho(port string) {
	runtime.GOMAXPROCS(1)
	listener, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		fail(err)
	}
	fmt.Println("port", listener.Addr().(*net.TCPAddr).Port)
	for {
		connection, err := listener.Accept()
		if err != nil {
			fail(err)
		}
		go serve(connection)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func usage() {
	fmt.Fprintln(os.Stderr, "usage: peer CASE --loops N [--seconds S] | --list | echo --port N")
	os.Exit(2)
}

// A case that is measured in nanoseconds per operation. When fixed, every run does limit operations.
type entry struct {
	limit int64
	fixed bool
	run   func(int64) time.Duration
}

var cases = map[string]entry{
	"pingpong":   {1 << 20, false, ring(2)},
	"fanin1":     {1 << 20, false, fanIn(1)},
	"fanin8":     {1 << 20, false, fanIn(8)},
	"ask":        {1 << 20, false, ask},
	"spawn":      {1 << 18, false, spawn},
	"ring":       {1 << 20, false, ring(ringSize)},
	"task":       {1 << 20, false, task},
	"yield":      {1 << 20, false, yield},
	"queue":      {1 << 20, false, queue},
	"stream":     {1 << 20, false, stream},
	"lock":       {1 << 26, false, lock},
	"timers-arm": {timers, true, armTimers},
	"spread":     {spreadTasks, true, spread},

	"children":    {childrenInAll, true, children},
	"communicate": {kibibytes, true, communicate},
}

// Cases that measure themselves.
var others = map[string]struct {
	unit string
	run  func() float64
}{
	"idle":        {"bytes", idle},
	"sleeping":    {"bytes", sleeping},
	"timers-fire": {"ns", fireTimers},
}

// What two processors change nothing about.
var oneLoopOnly = map[string]bool{"idle": true, "sleeping": true, "lock": true}

func list() {
	show := func(name string) {
		fmt.Println(name, 1)
		if !oneLoopOnly[name] {
			fmt.Println(name, 2)
		}
	}
	for name := range cases {
		show(name)
	}
	for name := range others {
		show(name)
	}
	fmt.Println("echo64 1\necho16k 1")
}

func main() {
	arguments := os.Args[1:]
	if len(arguments) == 1 && arguments[0] == "--list" {
		list()
		return
	}
	if len(arguments) == 3 && arguments[0] == "echo" && arguments[1] == "--port" {
		serveEcho(arguments[2])
		return
	}
	if len(arguments)%2 == 0 {
		usage()
	}
	loops, seconds := 1, 0.3
	for i := 1; i < len(arguments); i += 2 {
		var err error
		switch arguments[i] {
		case "--loops":
			loops, err = strconv.Atoi(arguments[i+1])
		case "--seconds":
			seconds, err = strconv.ParseFloat(arguments[i+1], 64)
		default:
			usage()
		}
		if err != nil || loops < 1 || seconds <= 0 {
			usage()
		}
	}
	runtime.GOMAXPROCS(loops)
	name := arguments[0]
	if other, known := others[name]; known {
		fmt.Printf("%s go %d %s %.2f\n", name, loops, other.unit, other.run())
		return
	}
	chosen, known := cases[name]
	if !known {
		usage()
	}
	fmt.Printf("%s go %d ns %.2f\n", name, loops, perOperation(seconds, chosen))
}
