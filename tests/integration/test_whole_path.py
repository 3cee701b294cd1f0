def test_x(project):
    import time

    t = time.time()
    print(project.run())
    print("again", time.time() - t)
    t = time.time()
    print(project.run(params={"recommendation": {"neighbours": 3}}))
    print("neigh", time.time() - t)
    t = time.time()
    print(project.run(params={"recommendation": {"neighbours": 4}}, tracked=True))
    print("neigh tracked", time.time() - t)
    t = time.time()
    print(project.run(params={"classification": {"folds": 3}}))
    print("folds", time.time() - t)
    t = time.time()
    print(project.run(params={"preprocessing": {"size": 128}}))
    print("size", time.time() - t)
