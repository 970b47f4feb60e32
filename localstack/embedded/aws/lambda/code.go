package lambda

import (
	"archive/zip"
	"bytes"
	"debug/elf"
	"debug/macho"
	"debug/pe"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"github.com/klauspost/compress/flate"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
)

// code is a deployment package. It is not changed.
type code struct {
	zipped []byte
	digest string
}

func (c code) sha256() string { return c.digest }

// readCode gets a deployment package and checks that it can run here.
func (s *Service) readCode(c *api.Call, in codeInput) (code, error) {
	if in.ImageUri != "" || in.SourceKMSKeyArn != "" {
		return code{}, notOffered("ImageUri and SourceKMSKeyArn")
	}
	zipped := in.ZipFile
	switch {
	case in.S3Bucket != "" && len(zipped) > 0:
		return code{}, invalid("Please do not provide other FunctionCode parameters when providing a ZipFile.")
	case in.S3Bucket != "":
		if s.Object == nil {
			return code{}, notOffered("code from S3")
		}
		var err error
		if zipped, err = s.Object(c.Account, in.S3Bucket, in.S3Key, in.S3ObjectVersion); err != nil {
			var e *api.Error
			if errors.As(err, &e) {
				return code{}, invalid("Error occurred while GetObject. S3 Error Code: %s. S3 Error Message: %s", e.Code, e.Message)
			}
			return code{}, err
		}
	case len(zipped) == 0:
		return code{}, invalid("Please provide a source for function code.")
	case len(zipped) > codeZipped:
		return code{}, &api.Error{Code: "RequestTooLargeException", Message: fmt.Sprintf("Request must be smaller than %d bytes for the CreateFunction operation", codeZipped), Status: 413}
	}
	if err := check(zipped); err != nil {
		return code{}, err
	}
	return code{zipped, sum(zipped)}, nil
}

func check(zipped []byte) error {
	r, err := zip.NewReader(bytes.NewReader(zipped), int64(len(zipped)))
	if err != nil {
		return invalid("Could not unzip uploaded file. Please check your file, then try to upload again.")
	}
	var size uint64
	var bootstrap *zip.File
	for _, f := range r.File {
		size += f.UncompressedSize64
		if f.Name == "bootstrap" {
			bootstrap = f
		}
	}
	if size > codeUnzipped {
		return invalid("Unzipped size must be smaller than %d bytes", codeUnzipped)
	}
	if bootstrap == nil {
		return invalid("The deployment package has no file bootstrap, which the runtime provided.al2023 starts. Build it with: go build -o bootstrap")
	}
	f, err := bootstrap.Open()
	if err != nil {
		return invalid("Could not unzip uploaded file. Please check your file, then try to upload again.")
	}
	defer f.Close()
	head, err := io.ReadAll(io.LimitReader(f, 4096))
	if err != nil {
		return invalid("Could not unzip uploaded file. Please check your file, then try to upload again.")
	}
	goos, goarch := platform(head)
	if goos == "script" || goos == runtime.GOOS && goarch == runtime.GOARCH {
		return nil
	}
	builtFor := "for " + goos + "/" + goarch
	if goos == "" {
		builtFor = "for nothing that is known: it is no program"
	}
	return invalid("The bootstrap is built %s, and this machine runs %s/%s. Build it for the local cloud with: GOOS=%s GOARCH=%s CGO_ENABLED=0 go build -o bootstrap",
		builtFor, runtime.GOOS, runtime.GOARCH, runtime.GOOS, runtime.GOARCH)
}

// platform tells from its first bytes what a program was built for, in Go's words; "script" is one for an interpreter, and "" nothing
// known. The formats: ELF, Mach-O, and PE behind its DOS stub.
func platform(head []byte) (goos, goarch string) {
	little := binary.LittleEndian
	switch {
	case bytes.HasPrefix(head, []byte("#!")):
		return "script", ""
	case bytes.HasPrefix(head, []byte(elf.ELFMAG)) && len(head) > 20:
		return "linux", map[elf.Machine]string{elf.EM_X86_64: "amd64", elf.EM_AARCH64: "arm64", elf.EM_386: "386", elf.EM_ARM: "arm", elf.EM_RISCV: "riscv64"}[elf.Machine(little.Uint16(head[18:]))]
	case len(head) > 8 && little.Uint32(head) == macho.Magic64:
		return "darwin", map[macho.Cpu]string{macho.CpuAmd64: "amd64", macho.CpuArm64: "arm64"}[macho.Cpu(little.Uint32(head[4:]))]
	case bytes.HasPrefix(head, []byte("MZ")) && len(head) > 64:
		if at := int(little.Uint32(head[60:])); at > 0 && at+6 <= len(head) && bytes.HasPrefix(head[at:], []byte("PE\x00\x00")) {
			return "windows", map[uint16]string{pe.IMAGE_FILE_MACHINE_AMD64: "amd64", pe.IMAGE_FILE_MACHINE_ARM64: "arm64"}[little.Uint16(head[at+4:])]
		}
	}
	return "", ""
}

// An unpacking is a deployment package in a folder of its own, which all environments of that code share.
type unpacking struct {
	once   sync.Once
	folder string
	err    error
}

// prepare unpacks a deployment package that will be needed soon. The caller holds mu.
func (s *Service) prepare(c code) {
	if s.Endpoint != nil && len(c.zipped) > 0 {
		s.running.Go(func() { _, _ = s.unpack(c) }) // whoever starts it learns of an error
	}
}

// unpack returns the folder of a deployment package.
func (s *Service) unpack(c code) (string, error) {
	s.mu.Lock()
	if s.folder == "" {
		folder, err := os.MkdirTemp("", "brokerdojo-lambda-")
		if err != nil {
			s.mu.Unlock()
			return "", err
		}
		s.folder = folder
	}
	u := s.unpacked[c.digest]
	if u == nil {
		u = &unpacking{folder: filepath.Join(s.folder, fmt.Sprintf("code-%d", len(s.unpacked)))}
		s.unpacked[c.digest] = u
	}
	s.mu.Unlock()
	u.once.Do(func() { u.err = unzip(c.zipped, u.folder) })
	return u.folder, u.err
}

func unzip(zipped []byte, to string) error {
	r, err := zip.NewReader(bytes.NewReader(zipped), int64(len(zipped)))
	if err != nil {
		return err
	}
	r.RegisterDecompressor(zip.Deflate, flate.NewReader) // twice as fast as the standard library's
	for _, f := range r.File {
		name := f.Name
		if name == "bootstrap" && runtime.GOOS == "windows" {
			name += ".exe"
		}
		if !filepath.IsLocal(filepath.FromSlash(name)) {
			return fmt.Errorf("the deployment package has a file outside of it: %q", f.Name)
		}
		path := filepath.Join(to, filepath.FromSlash(name))
		if strings.HasSuffix(f.Name, "/") {
			if err := os.MkdirAll(path, 0o755); err != nil {
				return err
			}
			continue
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := unzipFile(f, path); err != nil {
			return err
		}
	}
	return nil
}

func unzipFile(f *zip.File, path string) error {
	mode := os.FileMode(0o644)
	if f.Mode()&0o111 != 0 {
		mode = 0o755
	}
	from, err := f.Open()
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, io.LimitReader(from, codeUnzipped)) // the sizes were checked
	return errors.Join(err, to.Close())
}
