package conformance_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/brokerdojo/brokerdojo/localstack/conformance"
	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/lambda"
)

// The rules of S3. Their sources are the Amazon S3 User Guide and API Reference.
const s3Checked = "2026-12-01"

type s3Cloud struct {
	*conformance.Cloud
	*s3.Client
	t   *testing.T
	ctx context.Context
}

func s3Rule(t *testing.T, name, source string, f func(t *testing.T, s s3Cloud)) {
	t.Helper()
	conformance.Run(t, conformance.Rule{Name: name, Source: "Amazon S3 " + source, Checked: s3Checked}, func(t *testing.T, c *conformance.Cloud) {
		f(t, s3Cloud{c, c.S3(), t, t.Context()})
	})
}

func (s s3Cloud) ok(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s s3Cloud) bucket() string {
	s.t.Helper()
	name := s.Name("b")
	_, err := s.CreateBucket(s.ctx, &s3.CreateBucketInput{Bucket: &name})
	s.ok(err)
	return name
}

func (s s3Cloud) put(bucket, key, body string, settings ...func(*s3.PutObjectInput)) *s3.PutObjectOutput {
	s.t.Helper()
	in := &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: strings.NewReader(body)}
	for _, set := range settings {
		set(in)
	}
	out, err := s.PutObject(s.ctx, in)
	s.ok(err)
	return out
}

func (s s3Cloud) get(bucket, key string, settings ...func(*s3.GetObjectInput)) (string, *s3.GetObjectOutput) {
	s.t.Helper()
	in := &s3.GetObjectInput{Bucket: &bucket, Key: &key}
	for _, set := range settings {
		set(in)
	}
	out, err := s.GetObject(s.ctx, in)
	s.ok(err)
	b, err := io.ReadAll(out.Body)
	s.ok(err)
	return string(b), out
}

// wantStatus checks the HTTP status of an error.
func wantStatus(t *testing.T, err error, status int) {
	t.Helper()
	var e *smithyhttp.ResponseError
	if !errors.As(err, &e) || e.HTTPStatusCode() != status {
		t.Errorf("error %v, want status %d", err, status)
	}
}

func TestS3Buckets(t *testing.T) {
	s3Rule(t, "a bucket is there once, and its maker may make it again in us-east-1", "API Reference: CreateBucket", func(t *testing.T, s s3Cloud) {
		name := s.bucket()
		_, err := s.CreateBucket(s.ctx, &s3.CreateBucketInput{Bucket: &name})
		s.ok(err)
		_, err = s.HeadBucket(s.ctx, &s3.HeadBucketInput{Bucket: &name})
		s.ok(err)
	})
	s3Rule(t, "a bucket's name is unique among all accounts", "API Reference: BucketAlreadyExists", func(t *testing.T, s s3Cloud) {
		s.Control()
		name := s.bucket()
		config := s.AWS()
		config.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "111111111111", SecretAccessKey: "x"}, nil
		})
		other := s3.NewFromConfig(config, func(o *s3.Options) { o.UsePathStyle = true })
		_, err := other.CreateBucket(s.ctx, &s3.CreateBucketInput{Bucket: &name})
		wantError[*types.BucketAlreadyExists](t, err)
		_, err = other.PutObject(s.ctx, &s3.PutObjectInput{Bucket: &name, Key: aws.String("k")})
		wantCode(t, err, "AccessDenied")
	})
	s3Rule(t, "names have small letters, digits, dots and hyphens, 3 to 63", "User Guide: General purpose bucket naming rules", func(t *testing.T, s s3Cloud) {
		for _, name := range []string{"ab", "Upper", "under_score", "192.168.5.4", "a..b", "xn--x", strings.Repeat("x", 64)} {
			_, err := s.CreateBucket(s.ctx, &s3.CreateBucketInput{Bucket: &name})
			wantCode(t, err, "InvalidBucketName")
		}
	})
	s3Rule(t, "a bucket with objects is not deleted", "API Reference: DeleteBucket", func(t *testing.T, s s3Cloud) {
		name := s.bucket()
		s.put(name, "k", "v")
		_, err := s.DeleteBucket(s.ctx, &s3.DeleteBucketInput{Bucket: &name})
		wantCode(t, err, "BucketNotEmpty")
		_, err = s.DeleteObject(s.ctx, &s3.DeleteObjectInput{Bucket: &name, Key: aws.String("k")})
		s.ok(err)
		_, err = s.DeleteBucket(s.ctx, &s3.DeleteBucketInput{Bucket: &name})
		s.ok(err)
		_, err = s.ListObjectsV2(s.ctx, &s3.ListObjectsV2Input{Bucket: &name})
		wantError[*types.NoSuchBucket](t, err)
	})
	s3Rule(t, "a new bucket is encrypted, closed to the public and without ACLs", "User Guide: Default settings for new S3 buckets", func(t *testing.T, s s3Cloud) {
		name := s.bucket()
		encryption, err := s.GetBucketEncryption(s.ctx, &s3.GetBucketEncryptionInput{Bucket: &name})
		s.ok(err)
		if got := encryption.ServerSideEncryptionConfiguration.Rules[0].ApplyServerSideEncryptionByDefault.SSEAlgorithm; got != types.ServerSideEncryptionAes256 {
			t.Errorf("encryption %s", got)
		}
		block, err := s.GetPublicAccessBlock(s.ctx, &s3.GetPublicAccessBlockInput{Bucket: &name})
		s.ok(err)
		if !*block.PublicAccessBlockConfiguration.BlockPublicPolicy {
			t.Error("public policies are not blocked")
		}
		_, err = s.PutObjectAcl(s.ctx, &s3.PutObjectAclInput{Bucket: &name, Key: aws.String("k"), ACL: types.ObjectCannedACLPublicRead})
		wantCode(t, err, "AccessControlListNotSupported")
	})
	s3Rule(t, "a configuration that is not there has an error of its own", "API Reference: GetBucketPolicy, GetBucketLifecycleConfiguration, GetBucketTagging, GetBucketCors", func(t *testing.T, s s3Cloud) {
		name := s.bucket()
		_, err := s.GetBucketPolicy(s.ctx, &s3.GetBucketPolicyInput{Bucket: &name})
		wantCode(t, err, "NoSuchBucketPolicy")
		_, err = s.GetBucketLifecycleConfiguration(s.ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: &name})
		wantCode(t, err, "NoSuchLifecycleConfiguration")
		_, err = s.GetBucketTagging(s.ctx, &s3.GetBucketTaggingInput{Bucket: &name})
		wantCode(t, err, "NoSuchTagSet")
		_, err = s.GetBucketCors(s.ctx, &s3.GetBucketCorsInput{Bucket: &name})
		wantCode(t, err, "NoSuchCORSConfiguration")
	})
	s3Rule(t, "tags and policies are given back as they were put", "API Reference: PutBucketTagging, PutBucketPolicy", func(t *testing.T, s s3Cloud) {
		name := s.bucket()
		_, err := s.PutBucketTagging(s.ctx, &s3.PutBucketTaggingInput{Bucket: &name, Tagging: &types.Tagging{TagSet: []types.Tag{{Key: aws.String("team"), Value: aws.String("a&b")}}}})
		s.ok(err)
		tags, err := s.GetBucketTagging(s.ctx, &s3.GetBucketTaggingInput{Bucket: &name})
		s.ok(err)
		if len(tags.TagSet) != 1 || *tags.TagSet[0].Value != "a&b" {
			t.Errorf("tags %v", tags.TagSet)
		}
		policy := `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::` + name + `/*","Condition":{"Bool":{"aws:SecureTransport":"false"}}}]}`
		_, err = s.PutBucketPolicy(s.ctx, &s3.PutBucketPolicyInput{Bucket: &name, Policy: &policy})
		s.ok(err)
		got, err := s.GetBucketPolicy(s.ctx, &s3.GetBucketPolicyInput{Bucket: &name})
		s.ok(err)
		if *got.Policy != policy {
			t.Errorf("policy %s", *got.Policy)
		}
		_, err = s.PutBucketPolicy(s.ctx, &s3.PutBucketPolicyInput{Bucket: &name, Policy: aws.String("nothing")})
		wantCode(t, err, "MalformedPolicy")
	})
}

func TestS3Objects(t *testing.T) {
	s3Rule(t, "an object comes back as it was put, with its metadata", "API Reference: PutObject, GetObject", func(t *testing.T, s s3Cloud) {
		bucket := s.bucket()
		put := s.put(bucket, "a/b c+ü.txt", "hello", func(in *s3.PutObjectInput) {
			in.ContentType, in.CacheControl, in.Metadata = aws.String("text/plain"), aws.String("no-cache"), map[string]string{"order": "17"}
		})
		body, got := s.get(bucket, "a/b c+ü.txt")
		if body != "hello" || *got.ContentType != "text/plain" || *got.CacheControl != "no-cache" || got.Metadata["order"] != "17" || *got.ETag != *put.ETag || *got.ETag != `"5d41402abc4b2a76b9719d911017c592"` || *got.ContentLength != 5 {
			t.Errorf("%q %+v", body, got)
		}
	})
	s3Rule(t, "an object that is not there is a typed error", "API Reference: NoSuchKey", func(t *testing.T, s s3Cloud) {
		bucket := s.bucket()
		_, err := s.GetObject(s.ctx, &s3.GetObjectInput{Bucket: &bucket, Key: aws.String("none")})
		wantError[*types.NoSuchKey](t, err)
		_, err = s.HeadObject(s.ctx, &s3.HeadObjectInput{Bucket: &bucket, Key: aws.String("none")})
		wantError[*types.NotFound](t, err)
		_, err = s.DeleteObject(s.ctx, &s3.DeleteObjectInput{Bucket: &bucket, Key: aws.String("none")})
		s.ok(err)
	})
	s3Rule(t, "a range gives a part of the object", "API Reference: GetObject, Range", func(t *testing.T, s s3Cloud) {
		bucket := s.bucket()
		s.put(bucket, "k", "0123456789")
		for header, want := range map[string]string{"bytes=2-4": "234", "bytes=7-": "789", "bytes=-2": "89", "bytes=5-100": "56789"} {
			body, got := s.get(bucket, "k", func(in *s3.GetObjectInput) { in.Range = &header })
			if body != want || !strings.HasSuffix(*got.ContentRange, "/10") {
				t.Errorf("%s: %q, %s", header, body, *got.ContentRange)
			}
		}
		_, err := s.GetObject(s.ctx, &s3.GetObjectInput{Bucket: &bucket, Key: aws.String("k"), Range: aws.String("bytes=10-")})
		wantCode(t, err, "InvalidRange")
	})
	s3Rule(t, "conditions of a read are kept", "API Reference: GetObject, conditional requests", func(t *testing.T, s s3Cloud) {
		bucket := s.bucket()
		etag := s.put(bucket, "k", "v").ETag
		_, err := s.GetObject(s.ctx, &s3.GetObjectInput{Bucket: &bucket, Key: aws.String("k"), IfNoneMatch: etag})
		wantStatus(t, err, http.StatusNotModified)
		_, err = s.GetObject(s.ctx, &s3.GetObjectInput{Bucket: &bucket, Key: aws.String("k"), IfMatch: aws.String(`"other"`)})
		wantStatus(t, err, http.StatusPreconditionFailed)
		_, err = s.GetObject(s.ctx, &s3.GetObjectInput{Bucket: &bucket, Key: aws.String("k"), IfModifiedSince: aws.Time(time.Now().Add(time.Hour))})
		wantStatus(t, err, http.StatusNotModified)
	})
	s3Rule(t, "a conditional write does not overwrite", "User Guide: How to prevent object overwrites with conditional writes", func(t *testing.T, s s3Cloud) {
		bucket := s.bucket()
		write := func(in *s3.PutObjectInput) error {
			in.Bucket, in.Key, in.Body = &bucket, aws.String("k"), strings.NewReader("v")
			_, err := s.PutObject(s.ctx, in)
			return err
		}
		s.ok(write(&s3.PutObjectInput{IfNoneMatch: aws.String("*")}))
		wantCode(t, write(&s3.PutObjectInput{IfNoneMatch: aws.String("*")}), "PreconditionFailed")
		wantCode(t, write(&s3.PutObjectInput{IfMatch: aws.String(`"other"`)}), "PreconditionFailed")
		s.ok(write(&s3.PutObjectInput{IfMatch: aws.String(`"9e3669d19b675bd57058fd4664205d2a"`)}))
	})
	s3Rule(t, "a digest that does not fit the body is refused, and nothing is stored", "User Guide: Checking object integrity", func(t *testing.T, s s3Cloud) {
		bucket := s.bucket()
		_, err := s.PutObject(s.ctx, &s3.PutObjectInput{Bucket: &bucket, Key: aws.String("k"), Body: strings.NewReader("v"), ContentMD5: aws.String("1B2M2Y8AsgTpgAmY7PhCfg==")})
		wantCode(t, err, "BadDigest")
		_, err = s.PutObject(s.ctx, &s3.PutObjectInput{Bucket: &bucket, Key: aws.String("k"), Body: strings.NewReader("v"), ChecksumSHA256: aws.String("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=")})
		wantCode(t, err, "BadDigest")
		_, err = s.GetObject(s.ctx, &s3.GetObjectInput{Bucket: &bucket, Key: aws.String("k")})
		wantError[*types.NoSuchKey](t, err)
	})
	s3Rule(t, "the checksum that the client sends is kept and given back", "User Guide: Checking object integrity", func(t *testing.T, s s3Cloud) {
		bucket := s.bucket()
		s.put(bucket, "k", "hello", func(in *s3.PutObjectInput) { in.ChecksumAlgorithm = types.ChecksumAlgorithmSha256 })
		_, got := s.get(bucket, "k", func(in *s3.GetObjectInput) { in.ChecksumMode = types.ChecksumModeEnabled })
		if aws.ToString(got.ChecksumSHA256) != "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=" {
			t.Errorf("SHA-256 %s", aws.ToString(got.ChecksumSHA256))
		}
	})
	s3Rule(t, "a copy has the source's metadata, or its own where it says REPLACE", "API Reference: CopyObject", func(t *testing.T, s s3Cloud) {
		bucket := s.bucket()
		s.put(bucket, "a b", "v", func(in *s3.PutObjectInput) { in.Metadata = map[string]string{"of": "source"} })
		_, err := s.CopyObject(s.ctx, &s3.CopyObjectInput{Bucket: &bucket, Key: aws.String("c"), CopySource: aws.String(bucket + "/a%20b")})
		s.ok(err)
		if body, got := s.get(bucket, "c"); body != "v" || got.Metadata["of"] != "source" {
			t.Errorf("%q, %v", body, got.Metadata)
		}
		_, err = s.CopyObject(s.ctx, &s3.CopyObjectInput{Bucket: &bucket, Key: aws.String("c"), CopySource: aws.String(bucket + "/c"), MetadataDirective: types.MetadataDirectiveReplace, Metadata: map[string]string{"of": "copy"}})
		s.ok(err)
		if _, got := s.get(bucket, "c"); got.Metadata["of"] != "copy" {
			t.Errorf("%v", got.Metadata)
		}
		_, err = s.CopyObject(s.ctx, &s3.CopyObjectInput{Bucket: &bucket, Key: aws.String("c"), CopySource: aws.String(bucket + "/c")})
		wantCode(t, err, "InvalidRequest")
	})
	s3Rule(t, "up to 1,000 objects are deleted at once", "API Reference: DeleteObjects", func(t *testing.T, s s3Cloud) {
		bucket := s.bucket()
		in := &s3.DeleteObjectsInput{Bucket: &bucket, Delete: &types.Delete{}}
		for i := range 3 {
			key := fmt.Sprint("k", i)
			s.put(bucket, key, "v")
			in.Delete.Objects = append(in.Delete.Objects, types.ObjectIdentifier{Key: &key})
		}
		out, err := s.DeleteObjects(s.ctx, in)
		s.ok(err)
		if len(out.Deleted) != 3 || len(out.Errors) != 0 {
			t.Errorf("%+v", out)
		}
	})
	s3Rule(t, "an object has up to ten tags", "API Reference: PutObjectTagging", func(t *testing.T, s s3Cloud) {
		bucket := s.bucket()
		s.put(bucket, "k", "v", func(in *s3.PutObjectInput) { in.Tagging = aws.String("a=1&b=x%20y") })
		out, err := s.GetObjectTagging(s.ctx, &s3.GetObjectTaggingInput{Bucket: &bucket, Key: aws.String("k")})
		s.ok(err)
		if len(out.TagSet) != 2 || *out.TagSet[1].Value != "x y" {
			t.Errorf("%v", out.TagSet)
		}
		tags := make([]types.Tag, 11)
		for i := range tags {
			tags[i] = types.Tag{Key: aws.String(fmt.Sprint(i)), Value: aws.String("v")}
		}
		_, err = s.PutObjectTagging(s.ctx, &s3.PutObjectTaggingInput{Bucket: &bucket, Key: aws.String("k"), Tagging: &types.Tagging{TagSet: tags}})
		wantCode(t, err, "BadRequest")
	})
	s3Rule(t, "a presigned URL works without credentials until it expires", "User Guide: Download and upload objects with presigned URLs", func(t *testing.T, s s3Cloud) {
		bucket := s.bucket()
		s.put(bucket, "k", "v")
		signed, err := s3.NewPresignClient(s.Client).PresignGetObject(s.ctx, &s3.GetObjectInput{Bucket: &bucket, Key: aws.String("k")}, s3.WithPresignExpires(time.Minute))
		s.ok(err)
		client := http.DefaultClient
		if c, ok := s.AWS().HTTPClient.(*http.Client); ok {
			client = c
		}
		get := func() (int, string) {
			r, err := http.NewRequestWithContext(s.ctx, http.MethodGet, signed.URL, http.NoBody)
			s.ok(err)
			resp, err := client.Do(r)
			s.ok(err)
			defer resp.Body.Close()
			b, err := io.ReadAll(resp.Body)
			s.ok(err)
			return resp.StatusCode, string(b)
		}
		if status, body := get(); status != 200 || body != "v" {
			t.Errorf("%d %s", status, body)
		}
		s.Sleep(61 * time.Second)
		if status, body := get(); status != 403 || !strings.Contains(body, "Request has expired") {
			t.Errorf("later %d %s", status, body)
		}
	})
}

func TestS3Lists(t *testing.T) {
	s3Rule(t, "keys are listed in the order of their bytes, in pages, by prefix and by folder", "API Reference: ListObjectsV2", func(t *testing.T, s s3Cloud) {
		bucket := s.bucket()
		for _, key := range []string{"b", "a/2", "a/1", "a/x/3", "A", "ü", "c d"} {
			s.put(bucket, key, "v")
		}
		list := func(in *s3.ListObjectsV2Input) string {
			in.Bucket = &bucket
			var all []string
			for p := s3.NewListObjectsV2Paginator(s.Client, in); p.HasMorePages(); {
				page, err := p.NextPage(s.ctx)
				s.ok(err)
				for _, o := range page.Contents {
					all = append(all, *o.Key)
				}
				for _, o := range page.CommonPrefixes {
					all = append(all, "["+*o.Prefix+"]")
				}
			}
			return strings.Join(all, ",")
		}
		for want, in := range map[string]*s3.ListObjectsV2Input{
			"A,a/1,a/2,a/x/3,b,c d,ü": {MaxKeys: aws.Int32(2)}, "a/1,a/2,a/x/3": {Prefix: aws.String("a/")}, "A,b,c d,ü,[a/]": {Delimiter: aws.String("/")},
			"a/1,a/2,[a/x/]": {Prefix: aws.String("a/"), Delimiter: aws.String("/")}, "b,c d,ü": {StartAfter: aws.String("a/x/3")},
		} {
			if got := list(in); got != want {
				t.Errorf("%s, want %s", got, want)
			}
		}
		if got := list(&s3.ListObjectsV2Input{Delimiter: aws.String("/"), MaxKeys: aws.Int32(1)}); got != "A,[a/],b,c d,ü" {
			t.Errorf("one by one %s", got)
		}
	})
}

func TestS3Versions(t *testing.T) {
	s3Rule(t, "with versioning what is overwritten or deleted is kept, and a marker hides it", "User Guide: How S3 Versioning works", func(t *testing.T, s s3Cloud) {
		bucket := s.bucket()
		s.put(bucket, "k", "zero")
		_, err := s.PutBucketVersioning(s.ctx, &s3.PutBucketVersioningInput{Bucket: &bucket, VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled}})
		s.ok(err)
		one, two := s.put(bucket, "k", "one"), s.put(bucket, "k", "two")
		gone, err := s.DeleteObject(s.ctx, &s3.DeleteObjectInput{Bucket: &bucket, Key: aws.String("k")})
		s.ok(err)
		if !aws.ToBool(gone.DeleteMarker) || *one.VersionId == *two.VersionId {
			t.Errorf("marker %v, versions %s and %s", gone.DeleteMarker, *one.VersionId, *two.VersionId)
		}
		_, err = s.GetObject(s.ctx, &s3.GetObjectInput{Bucket: &bucket, Key: aws.String("k")})
		wantError[*types.NoSuchKey](t, err)
		for version, want := range map[string]string{*one.VersionId: "one", *two.VersionId: "two", "null": "zero"} {
			if body, _ := s.get(bucket, "k", func(in *s3.GetObjectInput) { in.VersionId = &version }); body != want {
				t.Errorf("version %s is %q", version, body)
			}
		}
		list, err := s.ListObjectVersions(s.ctx, &s3.ListObjectVersionsInput{Bucket: &bucket})
		s.ok(err)
		if len(list.Versions) != 3 || len(list.DeleteMarkers) != 1 || !*list.DeleteMarkers[0].IsLatest || *list.Versions[2].VersionId != "null" {
			t.Errorf("%d versions, %d markers", len(list.Versions), len(list.DeleteMarkers))
		}
		_, err = s.DeleteObject(s.ctx, &s3.DeleteObjectInput{Bucket: &bucket, Key: aws.String("k"), VersionId: gone.VersionId})
		s.ok(err)
		if body, _ := s.get(bucket, "k"); body != "two" {
			t.Errorf("without the marker it is %q", body)
		}
	})
}

func TestS3Multipart(t *testing.T) {
	begin := func(s s3Cloud, bucket string) *string {
		out, err := s.CreateMultipartUpload(s.ctx, &s3.CreateMultipartUploadInput{Bucket: &bucket, Key: aws.String("k"), Metadata: map[string]string{"a": "b"}})
		s.ok(err)
		return out.UploadId
	}
	part := func(s s3Cloud, bucket string, id *string, n int32, size int) types.CompletedPart {
		out, err := s.UploadPart(s.ctx, &s3.UploadPartInput{Bucket: &bucket, Key: aws.String("k"), UploadId: id, PartNumber: &n, Body: bytes.NewReader(bytes.Repeat([]byte{byte('0' + n)}, size))})
		s.ok(err)
		return types.CompletedPart{PartNumber: &n, ETag: out.ETag}
	}
	complete := func(s s3Cloud, bucket string, id *string, parts ...types.CompletedPart) error {
		_, err := s.CompleteMultipartUpload(s.ctx, &s3.CompleteMultipartUploadInput{Bucket: &bucket, Key: aws.String("k"), UploadId: id, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts}})
		return err
	}
	s3Rule(t, "parts become one object, whose ETag tells their number", "User Guide: Uploading and copying objects using multipart upload", func(t *testing.T, s s3Cloud) {
		bucket := s.bucket()
		id := begin(s, bucket)
		two, one := part(s, bucket, id, 2, 10), part(s, bucket, id, 1, 5<<20)
		s.ok(complete(s, bucket, id, one, two))
		body, got := s.get(bucket, "k")
		if len(body) != 5<<20+10 || body[0] != '1' || body[len(body)-1] != '2' || !strings.HasSuffix(*got.ETag, `-2"`) || got.Metadata["a"] != "b" {
			t.Errorf("%d bytes, ETag %s", len(body), *got.ETag)
		}
		wantCode(t, complete(s, bucket, id, one, two), "NoSuchUpload")
	})
	s3Rule(t, "parts must be in order, there, and 5 MiB but for the last", "API Reference: CompleteMultipartUpload", func(t *testing.T, s s3Cloud) {
		bucket := s.bucket()
		id := begin(s, bucket)
		one, two := part(s, bucket, id, 1, 100), part(s, bucket, id, 2, 100)
		wantCode(t, complete(s, bucket, id, two, one), "InvalidPartOrder")
		wantCode(t, complete(s, bucket, id, one, two), "EntityTooSmall")
		wantCode(t, complete(s, bucket, id, types.CompletedPart{PartNumber: aws.Int32(1), ETag: aws.String("other")}), "InvalidPart")
		parts, err := s.ListParts(s.ctx, &s3.ListPartsInput{Bucket: &bucket, Key: aws.String("k"), UploadId: id})
		s.ok(err)
		if len(parts.Parts) != 2 {
			t.Errorf("%d parts", len(parts.Parts))
		}
		_, err = s.AbortMultipartUpload(s.ctx, &s3.AbortMultipartUploadInput{Bucket: &bucket, Key: aws.String("k"), UploadId: id})
		s.ok(err)
		uploads, err := s.ListMultipartUploads(s.ctx, &s3.ListMultipartUploadsInput{Bucket: &bucket})
		s.ok(err)
		if len(uploads.Uploads) != 0 {
			t.Errorf("%d uploads are left", len(uploads.Uploads))
		}
	})
}

func TestS3Notifications(t *testing.T) {
	s3Rule(t, "a queue learns of new objects that fit the filter, after a test event", "User Guide: Amazon S3 Event Notifications", func(t *testing.T, s s3Cloud) {
		bucket := s.bucket()
		q := sqsCloud{s.Cloud, s.SQS(), t, s.ctx}
		url := q.create()
		_, err := s.PutBucketNotificationConfiguration(s.ctx, &s3.PutBucketNotificationConfigurationInput{Bucket: &bucket, NotificationConfiguration: &types.NotificationConfiguration{QueueConfigurations: []types.QueueConfiguration{{
			QueueArn: aws.String(q.arn(url)), Events: []types.Event{types.EventS3ObjectCreated},
			Filter: &types.NotificationConfigurationFilter{Key: &types.S3KeyFilter{FilterRules: []types.FilterRule{{Name: types.FilterRuleNamePrefix, Value: aws.String("in/")}, {Name: types.FilterRuleNameSuffix, Value: aws.String(".json")}}}},
		}}}})
		s.ok(err)
		if m := q.one(url, visibility(600)); !strings.Contains(*m.Body, `"Event":"s3:TestEvent"`) {
			t.Errorf("first came %s", *m.Body)
		}
		s.put(bucket, "in/a.txt", "v")
		s.put(bucket, "out/b.json", "v")
		s.put(bucket, "in/c d.json", "value")
		_, err = s.DeleteObject(s.ctx, &s3.DeleteObjectInput{Bucket: &bucket, Key: aws.String("in/c d.json")})
		s.ok(err)
		var event struct {
			Records []struct {
				EventName, EventSource, EventVersion string
				S3                                   struct {
					Bucket struct{ Name string }
					Object struct {
						Key, ETag string
						Size      int
					}
				}
			}
		}
		s.ok(json.Unmarshal([]byte(*q.one(url, visibility(600)).Body), &event))
		if r := event.Records[0]; r.EventName != "ObjectCreated:Put" || r.S3.Object.Key != "in/c+d.json" || r.S3.Object.Size != 5 || r.S3.Bucket.Name != bucket {
			t.Errorf("%+v", event)
		}
		q.wantNothing(url)
	})
	s3Rule(t, "a destination that is not there is refused", "User Guide: Granting permissions to publish event notification messages", func(t *testing.T, s s3Cloud) {
		bucket := s.bucket()
		_, err := s.PutBucketNotificationConfiguration(s.ctx, &s3.PutBucketNotificationConfigurationInput{Bucket: &bucket, NotificationConfiguration: &types.NotificationConfiguration{QueueConfigurations: []types.QueueConfiguration{{
			QueueArn: aws.String("arn:aws:sqs:us-east-1:000000000000:" + s.Name("none")), Events: []types.Event{types.EventS3ObjectCreated},
		}}}})
		wantCode(t, err, "InvalidArgument")
	})
	s3Rule(t, "a function runs when an object comes", "AWS Lambda Developer Guide: Process Amazon S3 event notifications with Lambda", func(t *testing.T, s s3Cloud) {
		ran := make(chan string, 1)
		arn, err := s.Control().Lambda().Register("000000000000", "us-east-1", s.Name("f"), func(_ context.Context, p []byte) ([]byte, error) { ran <- string(p); return nil, nil }, lambda.Registration{})
		s.ok(err)
		bucket := s.bucket()
		_, err = s.PutBucketNotificationConfiguration(s.ctx, &s3.PutBucketNotificationConfigurationInput{Bucket: &bucket, NotificationConfiguration: &types.NotificationConfiguration{
			LambdaFunctionConfigurations: []types.LambdaFunctionConfiguration{{LambdaFunctionArn: &arn, Events: []types.Event{types.EventS3ObjectCreatedPut}}}}})
		s.ok(err)
		s.put(bucket, "k", "v")
		if e := <-ran; !strings.Contains(e, `"eventName":"ObjectCreated:Put"`) {
			t.Errorf("%s", e)
		}
	})
}

func TestS3Refuses(t *testing.T) {
	s3Rule(t, "what is not offered is an error that names it", "API Reference: NotImplemented", func(t *testing.T, s s3Cloud) {
		s.Control()
		bucket := s.bucket()
		_, err := s.PutBucketReplication(s.ctx, &s3.PutBucketReplicationInput{Bucket: &bucket, ReplicationConfiguration: &types.ReplicationConfiguration{Role: aws.String("r"), Rules: []types.ReplicationRule{{Status: "Enabled", Destination: &types.Destination{Bucket: &bucket}}}}})
		var e smithy.APIError
		if !errors.As(err, &e) || e.ErrorCode() != "NotImplemented" || !strings.Contains(e.ErrorMessage(), "replication") {
			t.Errorf("%v", err)
		}
		_, err = s.PutObject(s.ctx, &s3.PutObjectInput{Bucket: &bucket, Key: aws.String("k"), StorageClass: types.StorageClassGlacier})
		wantCode(t, err, "NotImplemented")
	})
}
