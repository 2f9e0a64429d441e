package resolver

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"time"

	"github.com/miekg/dns"

	"assay/probe/dial"
)

// A received is what one exchange with one address brought: a message, or what
// happened instead of one, a Status word of evidence.DNSCopy.
type received struct {
	msg       *dns.Msg
	size      int
	transport string // "udp", "tcp", "https"
	match     match
	status    string // where msg is nil
	rtt       time.Duration
}

// exchange sends one query once and waits for its answer until Config.Try is over.
func (r *Resolver) exchange(ctx context.Context, d *dial.Dialer, network string, to netip.AddrPort, q *query) received {
	began := time.Now()
	if network == "tcp" { // a datagram needs no timer of its own: connecting does not wait
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, began.Add(r.try(network)))
		defer cancel()
	}
	got := r.converse(ctx, d, network, to, q, began)
	got.transport, got.rtt = network, time.Since(began)
	return got
}

// try is how long one try may take: a TCP exchange has one round trip more.
func (r *Resolver) try(network string) time.Duration {
	if network == "tcp" {
		return 2 * r.c.Try
	}
	return r.c.Try
}

func (r *Resolver) converse(ctx context.Context, d *dial.Dialer, network string, to netip.AddrPort, q *query, began time.Time) received {
	b := r.buffers.Get().(*buffer)
	defer r.buffers.Put(b)
	if _, err := io.ReadFull(r.c.Random, b.random[:]); err != nil {
		return received{status: "failed"}
	}
	msg, end, err := q.pack(b.sent[2:], b.random[:])
	if err != nil {
		return received{status: "failed"}
	}
	// Whichever comes first: the try is over, the question is, or nobody waits.
	at := began.Add(r.try(network))
	if limit, ok := ctx.Deadline(); ok && limit.Before(at) {
		at = limit
	}
	if network == "udp" {
		conn, err := r.sockets.Dial(ctx, d, to)
		if err != nil {
			return received{status: failure(err)}
		}
		_ = conn.SetReadDeadline(at) // writing does not wait
		left := make(chan struct{})
		stop := context.AfterFunc(ctx, func() {
			_ = conn.SetReadDeadline(time.Unix(1, 0))
			close(left)
		})
		got := b.datagrams(conn, msg, end)
		if !stop() {
			<-left // the next exchange sets deadlines of its own
		}
		conn.Keep()
		return got
	}
	conn, err := d.Dial(ctx, network, to)
	if err != nil {
		return received{status: failure(err)}
	}
	defer conn.Close()
	_ = conn.SetDeadline(at)
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	binary.BigEndian.PutUint16(b.sent[:], uint16(len(msg)))
	return r.stream(conn, b.sent[:2+len(msg)], end)
}

// A buffer holds what one exchange sends and receives.
type buffer struct {
	random [34]byte
	sent   [2 + udpSize]byte
	got    [packetSize]byte
}

// datagrams sends a query and reads datagrams until one answers it. What does
// not answer it is dropped and waiting goes on: forged answers must not count.
func (b *buffer) datagrams(conn *dial.Socket, sent []byte, end int) received {
	status := ""
	n, err := conn.Exchange(sent, b.got[:])
	for i := range maxForeign {
		if i > 0 {
			n, err = conn.Read(b.got[:])
		}
		if err != nil {
			if word := failure(err); word != "timeout" || status == "" {
				status = word
			}
			return received{status: status}
		}
		m := compare(sent, end, b.got[:n])
		if m == foreign {
			status = "garbled"
			continue
		}
		if n == packetSize { // more than was asked for, and cut here
			return received{msg: oversize(), size: n, match: m}
		}
		msg, err := unpack(b.got[:n], end, m)
		if err != nil {
			return received{status: "garbled"}
		}
		return received{msg: msg, size: n, match: m}
	}
	return received{status: "garbled"}
}

// maxForeign is how many datagrams that answer nothing are read for one query.
const maxForeign = 1000

// oversize stands for a datagram that was larger than what is read of one.
func oversize() *dns.Msg {
	return &dns.Msg{MsgHdr: dns.MsgHdr{Response: true, Truncated: true}}
}

// stream sends a query over TCP and reads one message.
func (r *Resolver) stream(conn net.Conn, sent []byte, end int) received {
	if _, err := conn.Write(sent); err != nil {
		return received{status: failure(err)}
	}
	var size [2]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		return received{status: failure(err)}
	}
	got := make([]byte, binary.BigEndian.Uint16(size[:]))
	if _, err := io.ReadFull(conn, got); err != nil {
		return received{status: failure(err)}
	}
	m := compare(sent[2:], end, got)
	if m == foreign {
		return received{status: "garbled"}
	}
	msg, err := unpack(got, end, m)
	if err != nil {
		return received{status: "garbled"}
	}
	return received{msg: msg, size: len(got), match: m}
}

// failure names what happened instead of a response.
func failure(err error) string {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return "reset"
	}
	if wrong := (*tls.CertificateVerificationError)(nil); errors.As(err, &wrong) {
		return "wrong-certificate"
	}
	switch word := dial.Failure(err); word {
	case "refused":
		return "refused-connection"
	case "failed":
		return "unreachable"
	default:
		return word
	}
}
