package testserver

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
	"os"
	"path/filepath"
	"time"
)

// Authority is a certificate authority for tests: it signs whatever it is asked to.
type Authority struct {
	// CAFile has its certificate, PEM.
	CAFile string

	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	made int64
}

// Certificate says what to sign. The zero Certificate is good for 127.0.0.1 and localhost for a day.
type Certificate struct {
	Names    []string      // DNS names and IP addresses; nil: 127.0.0.1 and localhost
	Nameless bool          // no subject alternative name at all, as old servers have
	Expired  bool          // ended an hour ago
	Life     time.Duration // default a day
	Subject  string        // common name; default localhost
}

// NewAuthority makes an authority whose files lie in dir.
func NewAuthority(dir string) (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	t := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "idbridge test authority"},
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(48 * time.Hour), IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("sign the authority: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("parse the authority: %w", err)
	}
	a := &Authority{CAFile: filepath.Join(dir, "ca.crt"), dir: dir, cert: cert, key: key}
	return a, writePEM(a.CAFile, "CERTIFICATE", der)
}

// Issue signs a certificate and returns the files of certificate and key, PEM.
func (a *Authority) Issue(c Certificate) (certFile, keyFile string, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", "", fmt.Errorf("make a key: %w", err)
	}
	a.made++
	if c.Subject == "" {
		c.Subject = "localhost"
	}
	if c.Life == 0 {
		c.Life = 24 * time.Hour
	}
	if c.Names == nil && !c.Nameless {
		c.Names = []string{"127.0.0.1", "localhost"}
	}
	t := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano() + a.made), Subject: pkix.Name{CommonName: c.Subject},
		NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().Add(c.Life),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if c.Expired {
		t.NotAfter = time.Now().Add(-time.Hour)
	}
	for _, n := range c.Names {
		if ip := net.ParseIP(n); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, n)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, t, a.cert, key.Public(), a.key)
	if err != nil {
		return "", "", fmt.Errorf("sign: %w", err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", "", fmt.Errorf("encode the key: %w", err)
	}
	certFile = filepath.Join(a.dir, fmt.Sprintf("srv%d.crt", a.made))
	keyFile = filepath.Join(a.dir, fmt.Sprintf("srv%d.key", a.made))
	if err := writePEM(certFile, "CERTIFICATE", der); err != nil {
		return "", "", err
	}
	return certFile, keyFile, writePEM(keyFile, "PRIVATE KEY", private)
}

func writePEM(file, kind string, der []byte) error {
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		return fmt.Errorf("write %s: %w", kind, err)
	}
	return nil
}
