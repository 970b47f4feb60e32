package cloudformation

// nothing is a type of which a stack may hold resources that no service makes.
func nothing[P any](named string, attributes func(c *call, id string) map[string]any) *resourceType {
	return define(resourceType{named: named},
		func(c *call, _ *P) (string, map[string]any, error) {
			id := c.generated(255)
			return id, attributes(c, id), nil
		},
		func(*call, string, *P, *P) (map[string]any, error) { return nil, nil },
		func(*call, string, *P) error { return nil })
}

type cdkMetadata struct{ Analytics string }

// ecrRepository has the properties of the one in the CDK's bootstrap template.
type ecrRepository struct {
	ImageScanningConfiguration any
	ImageTagMutability         string
	LifecyclePolicy            any
	RepositoryName             string
	RepositoryPolicyText       any
}

func cloudFormationTypes() map[string]*resourceType {
	none := func(*call, string) map[string]any { return nil }
	return map[string]*resourceType{
		"AWS::CDK::Metadata":                       nothing[cdkMetadata]("", none),
		"AWS::CloudFormation::WaitConditionHandle": nothing[struct{}]("", none),
		// The local cloud has no ECR. The bootstrap template declares a repository whether images are ever pushed or not, so a stack may
		// hold its name; nothing can be pushed to it.
		"AWS::ECR::Repository": define(resourceType{replacing: []string{"RepositoryName"}, named: "RepositoryName"},
			func(c *call, r *ecrRepository) (string, map[string]any, error) {
				name := c.orGenerated(r.RepositoryName, 256)
				return name, map[string]any{"Arn": c.arn("ecr", "repository/"+name), "RepositoryUri": c.from.Account + ".dkr.ecr." + c.from.Region + ".amazonaws.com/" + name}, nil
			},
			func(*call, string, *ecrRepository, *ecrRepository) (map[string]any, error) { return nil, nil },
			func(*call, string, *ecrRepository) error { return nil }),
	}
}
