// The Go peer's cases about tasks: a task is a goroutine, a queue a channel, a timer one of
// time.AfterFunc, which starts a goroutine for each that fires.
package main

import (
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	timers        = 1000000
	sleepingTasks = idleActors
	streamRoom    = 1024
	spreadTasks   = 64
)

// nextRandom is Marsaglia's xorshift.
func nextRandom(state uint64) uint64 {
	state ^= state << 13
	state ^= state >> 7
	return state ^ (state << 17)
}

func randomDelays(count int64, below time.Duration) []time.Duration {
	delays := make([]time.Duration, count)
	state := uint64(88172645463325252)
	for i := range delays {
		state = nextRandom(state)
		delays[i] = time.Duration(state % uint64(below))
	}
	return delays
}

// task awaits each goroutine by the channel that its result comes through.
func task(count int64) time.Duration {
	start := time.Now()
	for value := int64(0); value < count; {
		result := make(chan int64)
		go func(value int64) { result <- value + 1 }(value)
		value = <-result
	}
	return time.Since(start)
}

func yield(count int64) time.Duration {
	var both sync.WaitGroup
	both.Add(2)
	start := time.Now()
	for i := 0; i < 2; i++ {
		go func() {
			for left := count / 2; left > 0; left-- {
				runtime.Gosched()
			}
			both.Done()
		}()
	}
	both.Wait()
	return time.Since(start)
}

func queue(count int64) time.Duration {
	there, back := make(chan int64, 1), make(chan int64, 1)
	done := make(chan struct{})
	start := time.Now()
	go func() {
		for value := int64(0); value < count; {
			value = 1 + <-there
			back <- value
		}
	}()
	go func() {
		for value := int64(0); value < count; {
			there <- value + 1
			value = <-back
		}
		close(done)
	}()
	<-done
	return time.Since(start)
}

func stream(count int64) time.Duration {
	items := make(chan int64, streamRoom)
	done := make(chan int64)
	start := time.Now()
	go func() {
		for i := int64(1); i <= count; i++ {
			items <- i
		}
	}()
	go func() {
		var sum int64
		for left := count; left > 0; left-- {
			sum += <-items
		}
		done <- sum
	}()
	<-done
	return time.Since(start)
}

// guarded is what the lock protects; a package variable, so that it stays in memory.
var guarded struct {
	sync.Mutex
	value int64
}

func lock(count int64) time.Duration {
	start := time.Now()
	for i := int64(0); i < count; i++ {
		guarded.Lock()
		guarded.value++
		guarded.Unlock()
	}
	return time.Since(start)
}

// cpuTime is the user and system time of the process.
func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		fail(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func fire(delays []time.Duration) time.Duration {
	left := int64(len(delays))
	done := make(chan struct{})
	fired := func() {
		if atomic.AddInt64(&left, -1) == 0 {
			close(done)
		}
	}
	runtime.GC()
	start := cpuTime()
	for _, delay := range delays {
		time.AfterFunc(delay, fired)
	}
	<-done
	return cpuTime() - start
}

// fireTimers warms up with as many.
func fireTimers() float64 {
	fire(randomDelays(timers, time.Second))
	return float64(fire(randomDelays(timers, time.Second)).Nanoseconds()) / timers
}

func armTimers(count int64) time.Duration {
	delays := randomDelays(count, time.Hour)
	armed := make([]*time.Timer, count)
	runtime.GC()
	start := time.Now()
	for i, delay := range delays {
		armed[i] = time.AfterFunc(time.Hour+delay, func() {})
	}
	for _, timer := range armed {
		timer.Stop()
	}
	return time.Since(start)
}

func sleeping() float64 {
	runtime.GC()
	before := residentBytes()
	started := make(chan struct{}, chunk)
	for i := 0; i < sleepingTasks; i++ {
		go func() {
			started <- struct{}{}
			time.Sleep(time.Hour)
		}()
		<-started
	}
	runtime.Gosched()
	return (residentBytes() - before) / sleepingTasks
}

// spreadWork is a million steps that wait for each other, some two milliseconds.
func spreadWork(seed uint64) uint64 {
	for step := 0; step < 1000000; step++ {
		seed = nextRandom(seed)
	}
	return seed
}

func spread(count int64) time.Duration {
	var all sync.WaitGroup
	var sum uint64
	all.Add(int(count))
	start := time.Now()
	for i := int64(1); i <= count; i++ {
		go func(seed uint64) {
			atomic.AddUint64(&sum, spreadWork(seed))
			all.Done()
		}(uint64(i))
	}
	all.Wait()
	return time.Since(start)
}
