package sns

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"net/http"
	"sync"
	"time"
)

// CertificatePath is where the endpoint serves the certificate that the messages of this service are signed with.
const CertificatePath = "/SimpleNotificationService-local.pem"

// keyBits is the length of the signing key. It is short, so that signing costs little: these signatures show how a subscriber
// verifies one, they protect nothing.
const keyBits = 1024

// signer signs messages with a key of its own, which it makes when it is first needed.
type signer struct {
	once        sync.Once
	key         *rsa.PrivateKey
	certificate []byte // PEM
}

func (s *signer) make() {
	s.once.Do(func() {
		var err error
		if s.key, err = rsa.GenerateKey(rand.Reader, keyBits); err != nil {
			panic("sns: make the signing key: " + err.Error()) // the randomness of crypto/rand does not fail
		}
		template := &x509.Certificate{
			SerialNumber: big.NewInt(1),
			Subject:      pkix.Name{CommonName: "sns.amazonaws.com", Organization: []string{"local cloud"}},
			NotBefore:    time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC), // virtual time starts in 2000
			NotAfter:     time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC),
			KeyUsage:     x509.KeyUsageDigitalSignature,
		}
		der, err := x509.CreateCertificate(rand.Reader, template, template, s.key.Public(), s.key)
		if err != nil {
			panic("sns: make the signing certificate: " + err.Error())
		}
		s.certificate = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	})
}

// sign returns the base64 signature of text: RSA with SHA-1 in version "1", with SHA-256 in version "2".
func (s *signer) sign(version, text string) string {
	s.make()
	hash, digest := crypto.SHA1, []byte(nil)
	if version == "2" {
		sum := sha256.Sum256([]byte(text))
		hash, digest = crypto.SHA256, sum[:]
	} else {
		sum := sha1.Sum([]byte(text))
		digest = sum[:]
	}
	signature, err := rsa.SignPKCS1v15(nil, s.key, hash, digest)
	if err != nil {
		panic("sns: sign: " + err.Error()) // key and digest have lengths that fit
	}
	return base64.StdEncoding.EncodeToString(signature)
}

// Certificate serves the signing certificate, for CertificatePath.
func (s *Service) Certificate() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		s.signer.make()
		w.Header().Set("Content-Type", "application/x-pem-file")
		_, _ = w.Write(s.signer.certificate) // the client may be gone
	})
}
