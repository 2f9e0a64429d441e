package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"assay/bench/measure"
	"assay/lab"
	"assay/probe/dial"
)

const configuration = `daemon off; worker_processes 1; pid %[1]s/pid; error_log /dev/null; master_process off;
events { worker_connections 4096; }
http {
  access_log off; client_body_temp_path %[1]s; proxy_temp_path %[1]s; fastcgi_temp_path %[1]s; uwsgi_temp_path %[1]s; scgi_temp_path %[1]s;
  server {
    listen 127.0.0.1:%[2]d; listen 127.0.0.1:%[3]d ssl; root %[1]s;
    ssl_certificate %[1]s/cert.pem; ssl_certificate_key %[1]s/key.pem; ssl_session_tickets off;
  }
}
`

// nginx serves the file instead of the site of the laboratory.
type nginx struct {
	dir string
	cmd *exec.Cmd
}

func (n *nginx) stop() {
	if n.cmd.Process != nil {
		_ = n.cmd.Process.Kill()
		_ = n.cmd.Wait()
	}
	_ = os.RemoveAll(n.dir)
}

func (n *nginx) used() (cpu time.Duration, resident uint64, err error) {
	return measure.Process(n.cmd.Process.Pid)
}

// startNginx runs it, and puts it into the map.
func startNginx(m dial.Map) (_ *nginx, err error) {
	dir, err := os.MkdirTemp("", "assay-bench")
	if err != nil {
		return nil, err
	}
	n := &nginx{dir: dir, cmd: exec.Command("nginx", "-c", filepath.Join(dir, "nginx.conf"), "-e", "/dev/null")}
	defer func() {
		if err != nil {
			n.stop()
		}
	}()
	web, acme := filepath.Join(dir, ".well-known", "pki-validation"), filepath.Join(dir, ".well-known", "acme-challenge")
	ports, err := freePorts()
	if err != nil {
		return nil, err
	}
	certificate, key, err := selfSigned()
	if err != nil {
		return nil, err
	}
	for _, d := range []string{web, acme} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return nil, err
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return nil, err
	}
	for name, text := range map[string]string{
		filepath.Join(web, "fileauth.txt"): lab.Value,
		filepath.Join(acme, token):         keyAuthorization,
		filepath.Join(dir, "cert.pem"):     certificate, filepath.Join(dir, "key.pem"): key,
		filepath.Join(dir, "nginx.conf"): fmt.Sprintf(configuration, dir, ports[0], ports[1]),
	} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			return nil, err
		}
	}
	n.cmd.Stderr = os.Stderr
	if err = n.cmd.Start(); err != nil {
		return nil, fmt.Errorf("nginx (Debian package nginx-light): %w", err)
	}
	for i, port := range []uint16{80, 443} {
		really := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(ports[i]))
		for try := 0; ; try++ {
			c, err := net.Dial("tcp", really.String())
			if err == nil {
				_ = c.Close()
				break
			}
			if try > 100 {
				return nil, err
			}
			time.Sleep(50 * time.Millisecond) // another process starts
		}
		m[dial.Endpoint{Network: "tcp", AddrPort: netip.AddrPortFrom(netip.MustParseAddr(lab.AddressWeb1), port)}] = really
	}
	return n, nil
}

// freePorts finds two: each is held until both are, or they might be the same.
func freePorts() (ports [2]int, err error) {
	for i := range ports {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return ports, err
		}
		defer l.Close()
		ports[i] = l.Addr().(*net.TCPAddr).Port
	}
	return ports, nil
}

func selfSigned() (certificate, key string, err error) {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", "", err
	}
	t := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "orchard.net"}, DNSNames: []string{"orchard.net"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, k.Public(), k)
	if err != nil {
		return "", "", err
	}
	raw, err := x509.MarshalECPrivateKey(k)
	if err != nil {
		return "", "", err
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: raw})), nil
}
