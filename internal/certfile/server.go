package certfile

import (
	"fmt"
	"slices"
	"strings"
)

// A server is one whose configuration a bundle is made for.
type server struct {
	id, title string
	// password says when a bundle holds a file that is encrypted by one.
	password Need
	// directory is where the files lie in the configuration given.
	directory string
	files     func(s *Set, o *Options) ([]entry, error)
}

// An entry is a file of a bundle.
type entry struct {
	// name follows the set's name; kind is the word of its description, the
	// message bundle.file.KIND.
	suffix, kind string
	content      []byte
	secret       bool
}

func servers() []server {
	return []server{
		{id: "nginx", title: "nginx", password: Never, directory: "/etc/nginx/ssl", files: (*Set).nginx},
		{id: "apache", title: "Apache", password: Never, directory: "/etc/apache2/ssl", files: (*Set).apache},
		{id: "tomcat", title: "Tomcat", password: WithKey, directory: "conf", files: (*Set).tomcat},
		{id: "iis", title: "IIS", password: WithKey, directory: `C:\certificates`, files: (*Set).iis},
		{id: "haproxy", title: "HAProxy", password: Never, directory: "/etc/haproxy/certs", files: (*Set).haproxy},
	}
}

// withKey adds the key's file where the key is there.
func (s *Set) withKey(list []entry) ([]entry, error) {
	if s.key == nil {
		return list, nil
	}
	text, err := s.key.PEM()
	if err != nil {
		return nil, &Error{What: KeyMismatch, Err: err}
	}
	return append(list, entry{suffix: ".key", kind: "key", content: text, secret: true}), nil
}

// host is the name that a server is set up for; "_" is nginx's for any.
func (s *Set) host(none string) string {
	if names := s.Names(); len(names) > 0 {
		return names[0]
	}
	return none
}

// nginx reads the certificate and its chain from one file
// (ngx_http_ssl_module, ssl_certificate).
func (s *Set) nginx(*Options) ([]entry, error) {
	names := s.Names()
	if len(names) == 0 {
		names = []string{"_"}
	}
	name := s.Name()
	hint := ""
	if size := s.nginxBucket(); size > 0 {
		// Here it would stand twice where another file has it too, which nginx refuses.
		hint = fmt.Sprintf("# nginx.conf, http: server_names_hash_bucket_size %d;\n", size)
	}
	conf := hint + fmt.Sprintf(`server {
    listen 443 ssl;
    listen [::]:443 ssl;
    server_name %s;

    ssl_certificate     /etc/nginx/ssl/%s.fullchain.pem;
    ssl_certificate_key /etc/nginx/ssl/%s.key;
    ssl_protocols       TLSv1.2 TLSv1.3;
    ssl_session_cache   shared:assay:10m;
    ssl_session_timeout 1d;

    root /var/www/html;
}
`, strings.Join(names, "\n                "), name, name)
	return s.withKey([]entry{
		{suffix: ".fullchain.pem", kind: "fullchain", content: s.fullChainPEM()},
		{suffix: ".nginx.conf", kind: "configuration", content: []byte(conf)},
	})
}

// nginxBucket is the server_names_hash_bucket_size that nginx needs beside other servers
// for the longest name, 0 where its default on most machines does: a name, its length and
// two pointers of 8 bytes are one bucket (ngx_hash_init).
func (s *Set) nginxBucket() int {
	longest := 0
	for _, n := range s.Names() {
		longest = max(longest, len(n))
	}
	need, size := 16+(longest+2+7)/8*8, 64
	for size < need {
		size *= 2
	}
	if size == 64 {
		return 0
	}
	return size
}

// apache reads the chain from the certificate's file since 2.4.8 (mod_ssl,
// SSLCertificateFile).
func (s *Set) apache(*Options) ([]entry, error) {
	name := s.Name()
	var b strings.Builder
	b.WriteString("<VirtualHost *:443>\n")
	names := s.Names()
	// ServerName takes neither a wildcard nor an IPv6 address; what cannot be it is an alias.
	own := slices.IndexFunc(names, func(n string) bool { return !strings.HasPrefix(n, "*.") && !strings.Contains(n, ":") })
	if own >= 0 {
		fmt.Fprintf(&b, "    ServerName %s\n", names[own])
	}
	for i, n := range names {
		if i != own {
			fmt.Fprintf(&b, "    ServerAlias %s\n", bracketed(n))
		}
	}
	fmt.Fprintf(&b, `    DocumentRoot /var/www/html

    SSLEngine on
    SSLProtocol -all +TLSv1.2 +TLSv1.3
    SSLCertificateFile "/etc/apache2/ssl/%s.fullchain.pem"
    SSLCertificateKeyFile "/etc/apache2/ssl/%s.key"
</VirtualHost>
`, name, name)
	return s.withKey([]entry{
		{suffix: ".fullchain.pem", kind: "fullchain", content: s.fullChainPEM()},
		{suffix: ".apache.conf", kind: "configuration", content: []byte(b.String())},
	})
}

func bracketed(n string) string {
	if strings.Contains(n, ":") {
		return "[" + n + "]"
	}
	return n
}

// tomcat reads a keystore, or PEM files (since 8.5: SSLHostConfig, Certificate).
// A password is not written into the configuration for the operator.
func (s *Set) tomcat(o *Options) ([]entry, error) {
	name := s.Name()
	const connector = `<Connector port="443" protocol="org.apache.coyote.http11.Http11NioProtocol"
           SSLEnabled="true" scheme="https" secure="true">
    <SSLHostConfig protocols="TLSv1.2+TLSv1.3">
        <Certificate %s />
    </SSLHostConfig>
</Connector>
`
	if s.key == nil {
		attributes := fmt.Sprintf(`certificateFile="conf/%s.pem"
                     certificateKeyFile="conf/%s.key"`, name, name)
		list := []entry{{suffix: ".pem", kind: "leaf", content: encodePEM(s.leaf.Raw)}}
		if len(s.chain) > 0 {
			attributes += fmt.Sprintf(`
                     certificateChainFile="conf/%s.chain.pem"`, name)
			list = append(list, entry{suffix: ".chain.pem", kind: "chain", content: s.chainPEM()})
		}
		p7b, err := s.makePKCS7(o)
		if err != nil {
			return nil, err
		}
		return append(list,
			entry{suffix: ".p7b", kind: "pkcs7", content: p7b},
			entry{suffix: ".server.xml", kind: "configuration", content: fmt.Appendf(nil, connector, attributes)}), nil
	}
	store, err := s.makeJKS(o)
	if err != nil {
		return nil, err
	}
	attributes := fmt.Sprintf(`certificateKeystoreFile="conf/%s.jks"
                     certificateKeystoreType="JKS"
                     certificateKeystorePassword="PASSWORD"`, name)
	return []entry{
		{suffix: ".jks", kind: "jks", content: store, secret: true},
		{suffix: ".server.xml", kind: "configuration", content: fmt.Appendf(nil, connector, attributes)},
	}, nil
}

// iis reads a PFX, or completes the request that was made on the server by
// certreq.
func (s *Set) iis(o *Options) ([]entry, error) {
	name, host := s.Name(), s.host("")
	binding := fmt.Sprintf(`
$site = "Default Web Site"
New-WebBinding -Name $site -Protocol https -Port 443 -HostHeader "%s" -SslFlags 1
(Get-WebBinding -Name $site -Protocol https -HostHeader "%s").AddSslCertificate($certificate.Thumbprint, "My")
`, host, host)
	if strings.HasPrefix(host, "*.") || strings.Contains(host, ":") || host == "" {
		// A wildcard or an address is bound without a host header.
		binding = `
$site = "Default Web Site"
New-WebBinding -Name $site -Protocol https -Port 443
(Get-WebBinding -Name $site -Protocol https).AddSslCertificate($certificate.Thumbprint, "My")
`
	}
	if s.key == nil {
		p7b, err := s.makePKCS7(o)
		if err != nil {
			return nil, err
		}
		script := fmt.Sprintf(`Import-Module WebAdministration
certreq -accept -machine "%s.p7b"
$certificate = Get-Item "Cert:\LocalMachine\My\%s"
`, name, thumbprint(s.leaf)) + binding
		return []entry{
			{suffix: ".cer", kind: "der", content: s.leaf.Raw},
			{suffix: ".p7b", kind: "pkcs7", content: p7b},
			{suffix: ".install.ps1", kind: "script", content: windowsLines(script)},
		}, nil
	}
	store, err := s.makePKCS12(o)
	if err != nil {
		return nil, err
	}
	script := fmt.Sprintf(`Import-Module WebAdministration
$password = Read-Host -AsSecureString "%s.pfx"
$certificate = Import-PfxCertificate -FilePath "%s.pfx" -CertStoreLocation Cert:\LocalMachine\My -Password $password
`, name, name) + binding
	return []entry{
		{suffix: ".pfx", kind: "pfx", content: store, secret: true},
		{suffix: ".install.ps1", kind: "script", content: windowsLines(script)},
	}, nil
}

func windowsLines(s string) []byte { return []byte(strings.ReplaceAll(s, "\n", "\r\n")) }

// haproxy reads everything from one file, the key as well; a key in a file of
// its own has the name of that file and ".key" (ssl-load-extra-files).
func (s *Set) haproxy(*Options) ([]entry, error) {
	name := s.Name()
	conf := fmt.Sprintf(`frontend https
    mode http
    bind :443 ssl crt /etc/haproxy/certs/%s.pem ssl-min-ver TLSv1.2 alpn h2,http/1.1
    default_backend web

backend web
    mode http
    server web1 127.0.0.1:8080
`, name)
	pem := entry{suffix: ".pem", kind: "fullchain", content: s.fullChainPEM()}
	if s.key != nil {
		text, err := s.key.PEM()
		if err != nil {
			return nil, &Error{What: KeyMismatch, Err: err}
		}
		pem = entry{suffix: ".pem", kind: "combined", content: slices.Concat(pem.content, text), secret: true}
	}
	return []entry{pem, {suffix: ".haproxy.cfg", kind: "configuration", content: []byte(conf)}}, nil
}
