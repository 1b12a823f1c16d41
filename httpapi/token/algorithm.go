package token

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"

	"github.com/go-jose/go-jose/v4"

	"github.com/idbridge/idbridge"
)

// algorithm is how the tokens of a ring are signed: one, and no other.
type algorithm string

const (
	rs512 = algorithm(jose.RS512)
	eddsa = algorithm(jose.EdDSA)
)

const (
	rsaBits = 2048
	pemType = "PRIVATE KEY"
)

// make draws a private key and writes it as PKCS#8 in PEM.
func (a algorithm) make(random io.Reader) (idbridge.Secret, error) {
	var private any
	var err error
	if a == rs512 {
		private, err = rsa.GenerateKey(random, rsaBits)
	} else {
		_, private, err = ed25519.GenerateKey(random)
	}
	if err != nil {
		return idbridge.Secret{}, fmt.Errorf("draw: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return idbridge.Secret{}, fmt.Errorf("write: %w", err)
	}
	return idbridge.NewSecret(string(pem.EncodeToMemory(&pem.Block{Type: pemType, Bytes: der}))), nil
}

// read takes a private key out of PEM. Error: it is not there, or of another algorithm.
func (a algorithm) read(text idbridge.Secret) (crypto.Signer, error) {
	block, rest := pem.Decode([]byte(text.Reveal()))
	if block == nil || block.Type != pemType || len(rest) > 0 {
		return nil, errors.New("no PKCS#8 key in PEM")
	}
	private, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errors.New("a PKCS#8 key that cannot be read") // the cause may quote it
	}
	switch k := private.(type) {
	case *rsa.PrivateKey:
		if a == rs512 && k.N.BitLen() >= rsaBits {
			return k, nil
		}
	case ed25519.PrivateKey:
		if a == eddsa {
			return k, nil
		}
	}
	return nil, errors.New("a key of another algorithm")
}
