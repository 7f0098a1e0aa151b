%%% What an admin may write into the configuration: right, half, or wrong.
-module(config_SUITE).

-export([all/0, groups/0, init_per_suite/1, end_per_suite/1, init_per_group/2, end_per_group/2]).
-export([
    two_lines_give_a_microblog/1,
    without_the_nodetree/1,
    without_mod_twitter/1,
    nothing_below_twitter_without_mod_twitter/1,
    stored_posts_stay_private_without_mod_twitter/1,
    without_mod_pubsub/1,
    without_the_native_library/1,
    pep_before_flat/1,
    pep_alone/1,
    without_pep/1,
    bad_values_are_refused_at_start/1,
    bad_values_are_refused_at_reload/1
]).

-define(MINE, <<"/twitter/MyStream">>).

all() ->
    [{group, settings}].

groups() ->
    [
        {settings, [parallel], [
            two_lines_give_a_microblog,
            without_the_nodetree,
            without_mod_twitter,
            nothing_below_twitter_without_mod_twitter,
            stored_posts_stay_private_without_mod_twitter,
            without_mod_pubsub,
            without_the_native_library,
            pep_before_flat,
            pep_alone,
            without_pep,
            bad_values_are_refused_at_start,
            bad_values_are_refused_at_reload
        ]}
    ].

init_per_suite(Config) -> Config.

end_per_suite(_Config) -> ok.

init_per_group(_Group, Config) -> Config.

end_per_group(_Group, _Config) -> ok.

%%% Settings that work, and settings that lack something

two_lines_give_a_microblog(Config) ->
    Server = start(Config, ?FUNCTION_NAME, #{}),
    ok = microblog_works(Server),
    ok = twitter_ordinary:check(Server),
    nomatch = binary:match(twitter_server:log(Server), [<<"[error]">>, <<"[critical]">>]),
    ok = twitter_server:stop(Server).

without_the_nodetree(Config) ->
    Server = start(Config, ?FUNCTION_NAME, #{pubsub => #{nodetree => tree}}),
    ok = assert_logged(Server, [<<"localhost">>, <<"mod_twitter">>, <<"nodetree: twitter">>]),
    ok = twitter_ordinary:check(Server),
    ok = twitter_server:stop(Server).

without_mod_twitter(Config) ->
    Server = start(Config, ?FUNCTION_NAME, #{twitter => absent}),
    ok = assert_logged(Server, [<<"localhost">>, <<"nodetree: twitter">>, <<"mod_twitter: {}">>]),
    ok = twitter_ordinary:check(Server),
    ok = twitter_server:stop(Server).

%% Else somebody could take a name that everybody's microblog needs later.
nothing_below_twitter_without_mod_twitter(Config) ->
    Server = start(Config, ?FUNCTION_NAME, #{twitter => absent}),
    Alice = login_fresh(Server, <<"alice">>),
    Stored = stored_node(twitter_client:bare(Alice)),
    Others = stored_node(<<"bob@localhost">>),
    Nodes = [<<"/twitter">>, ?MINE, <<"/twitter/FriendsStream">>, <<"/twitter/x">>, Stored, Others],
    Refusals = [
        {Node, Content, twitter_answers:refusal(twitter_requests:pubsub(Alice, set, Content))}
     || Node <- Nodes,
        Content <- [
            ["<create node='", Node, "'/>"],
            ["<publish node='", Node, "'><item id='1'><a xmlns='urn:a'/></item></publish>"],
            ["<subscribe node='", Node, "' jid='", twitter_client:bare(Alice), "'/>"]
        ]
    ],
    [] = [Granted || {_, _, none} = Granted <- Refusals],
    [] = twitter_stored:all(Server, pubsub_node),
    %% A name that only begins alike is an ordinary one.
    none = twitter_answers:refusal(
        twitter_requests:pubsub(Alice, set, <<"<create node='/twitters'/>">>)
    ),
    [{<<"/twitters">>, _}] = twitter_reading:rows(Alice, <<>>),
    ok = twitter_server:stop(Server).

stored_posts_stay_private_without_mod_twitter(Config) ->
    Server = start(Config, ?FUNCTION_NAME, #{}),
    [Alice, Bob] = [twitter_users:fresh(Server, Name) || Name <- [<<"alice">>, <<"bob">>]],
    ok = twitter_users:befriend(Server, Alice, Bob),
    Secret = <<"only for friends">>,
    Id = twitter_requests:publish(twitter_users:login(Server, Alice), Secret),
    Node = stored_node(twitter_users:jid(Alice)),
    %% By every way that leads to the stored node, with every setting under which it lies open.
    lists:foreach(
        fun(Changes) ->
            ok = twitter_server:restart(Server, Changes),
            Carol = login_fresh(Server, <<"carol">>),
            Answers = [Answer || Request <- attempts(Node, Id), Answer <- [Request(Carol)]],
            [] = [Answer || Answer <- Answers, contains(Answer, Secret)],
            Results = [Answer || Answer <- Answers, twitter_answers:refusal(Answer) =:= none],
            [] = [Answer || Answer <- Results, contains(Answer, Id)],
            false = lists:keymember(Node, 1, twitter_reading:rows(Carol, <<>>))
        end,
        [
            #{twitter => absent},
            #{twitter => absent, pubsub => #{nodetree => tree}},
            #{twitter => #{}, pubsub => #{nodetree => tree}}
        ]
    ),
    ok = twitter_server:restart(Server, #{twitter => #{}, pubsub => #{}}),
    BobClient = twitter_users:login(Server, Bob),
    [{_, Id, Secret}] = twitter_reading:entries(BobClient, <<"/twitter/FriendsStream">>),
    ok = twitter_server:stop(Server).

without_mod_pubsub(Config) ->
    Server = start(Config, ?FUNCTION_NAME, #{modules => #{mod_pubsub => absent}}),
    ok = assert_logged(Server, [<<"localhost">>, <<"mod_pubsub: {nodetree: twitter}">>]),
    Alice = login_fresh(Server, <<"alice">>),
    [] = twitter_client:sync(Alice),
    <<"remote-server-not-found">> =
        twitter_answers:refusal(twitter_requests:pubsub(Alice, get, <<"<affiliations/>">>)),
    ok = twitter_server:stop(Server).

without_the_native_library(Config) ->
    Copy = filename:join([proplists:get_value(priv_dir, Config), "no_library", "ebin"]),
    ok = filelib:ensure_path(Copy),
    Beams = filelib:wildcard(filename:join(filename:dirname(code:which(mod_twitter)), "*")),
    [{ok, _} = file:copy(Beam, filename:join(Copy, filename:basename(Beam))) || Beam <- Beams],
    Server = start(Config, ?FUNCTION_NAME, #{
        plugin => false,
        env => [{"ERL_FLAGS", "-pa " ++ Copy}],
        pubsub => #{nodetree => twitter},
        twitter => #{}
    }),
    Priv = unicode:characters_to_binary(filename:join(filename:dirname(Copy), "priv")),
    ok = assert_logged(Server, [<<"localhost">>, <<"twitter_nif.so">>, Priv, <<"restart">>]),
    ok = twitter_ordinary:check(Server),
    Alice = login_fresh(Server, <<"alice">>),
    Publish = <<"<publish node='/twitter/MyStream'><item id='1'><a xmlns='urn:a'/></item></publish>">>,
    true = none =/= twitter_answers:refusal(twitter_requests:pubsub(Alice, set, Publish)),
    %% The modules can be stopped and started all the same, and accounts deleted.
    ok = twitter_server:call(Server, gen_mod, stop_module, [<<"localhost">>, mod_twitter]),
    {ok, _} = twitter_server:call(Server, gen_mod, start_module, [<<"localhost">>, mod_twitter]),
    ok = twitter_users:unregister(Server, twitter_users:fresh(Server, <<"gone">>)),
    ok = twitter_ordinary:check(Server),
    ok = twitter_server:stop(Server).

%% mod_pubsub makes nodes with its first plugin; here there is no ordinary pubsub without
%% ours either. Microblogs do not mind.
pep_before_flat(Config) ->
    microblog_beside_pep(start(Config, ?FUNCTION_NAME, #{
        pubsub => #{plugins => [<<"pep">>, <<"flat">>]}
    })).

pep_alone(Config) ->
    microblog_beside_pep(start(Config, ?FUNCTION_NAME, #{pubsub => #{plugins => [<<"pep">>]}})).

microblog_beside_pep(Server) ->
    ok = microblog_works(Server),
    ok = twitter_ordinary:pep_works(Server),
    ok = twitter_server:stop(Server).

without_pep(Config) ->
    Server = start(Config, ?FUNCTION_NAME, #{pubsub => #{plugins => [<<"flat">>]}}),
    ok = microblog_works(Server),
    ok = twitter_ordinary:pubsub_works(Server),
    ok = twitter_server:stop(Server).

%%% Values

bad_values_are_refused_at_start(Config) ->
    Options = options(Config, ?FUNCTION_NAME, #{twitter => #{max_posts => 0}}),
    {error, {not_started, Log}} = twitter_server:start(Options),
    ok = assert_line(Log, [<<"mod_twitter">>, <<"max_posts">>, <<"positive integer">>]).

bad_values_are_refused_at_reload(Config) ->
    Server = start(Config, ?FUNCTION_NAME, #{}),
    lists:foreach(
        fun({Option, Value, Words}) ->
            Before = byte_size(twitter_server:log(Server)),
            error = element(1, twitter_server:reload(Server, #{twitter => #{Option => Value}})),
            <<_:Before/binary, Log/binary>> = twitter_server:log(Server),
            ok = assert_line(Log, [<<"mod_twitter">>, atom_to_binary(Option) | Words])
        end,
        [
            {max_post_size, 0, [<<"positive integer">>]},
            {max_post_size, -1, [<<"positive integer">>]},
            {max_post_size, <<"x">>, [<<"integer">>]},
            {body, 5, []},
            {cache_size, 0, [<<"integer from 1 to">>]},
            {cache_size, <<"large">>, [<<"integer">>]},
            {index_size, -1, [<<"integer from 1 to">>]},
            {index_size, 1 bsl 41, [<<"integer from 1 to">>]},
            {max_posts, 0, [<<"positive integer">>]},
            {max_posts, <<"many">>, [<<"integer">>]},
            {post_rate, 5, []},
            {post_rate, #{burst => 5}, [<<"refill">>]},
            {post_rate, #{burst => 0, refill => 1}, [<<"integer from 1 to">>]},
            {post_rate, #{burst => 1, refill => 1 bsl 40}, [<<"integer from 1 to">>]},
            {post_rate, #{burst => 1, refill => 1, speed => 1}, [<<"speed">>]},
            {access_any_rate, 7, []},
            {no_such_option, 1, [<<"max_posts">>]}
        ]
    ),
    %% A refused configuration changes nothing.
    ok = microblog_works(Server),
    ok = twitter_server:reload(Server, #{twitter => #{max_posts => unlimited}}),
    ok = twitter_server:reload(Server, #{twitter => #{max_posts => 1, body => false}}),
    ok = microblog_works(Server),
    ok = twitter_server:stop(Server).

%%% Helpers

options(Config, Name, Options) ->
    Options#{dir => proplists:get_value(priv_dir, Config), name => atom_to_list(Name)}.

start(Config, Name, Options) ->
    {ok, Server} = twitter_server:start(options(Config, Name, Options)),
    Server.

login_fresh(Server, Name) ->
    twitter_users:login(Server, twitter_users:fresh(Server, Name)).

%% Alice's post comes to Bob, and both find it.
microblog_works(Server) ->
    [Alice, Bob] = [twitter_users:fresh(Server, Name) || Name <- [<<"alice">>, <<"bob">>]],
    ok = twitter_users:befriend(Server, Alice, Bob),
    [AliceClient, BobClient] = [twitter_users:login(Server, User) || User <- [Alice, Bob]],
    Id = twitter_requests:publish(AliceClient, <<"Hello">>),
    _ = twitter_client:expect(BobClient, twitter_events:is_event(<<"/twitter/FriendsStream">>, Id)),
    [{_, Id, <<"Hello">>}] = twitter_reading:entries(BobClient, <<"/twitter/FriendsStream">>),
    [{_, Id, <<"Hello">>}] = twitter_reading:entries(AliceClient, ?MINE),
    true = lists:keymember(<<"/twitter">>, 1, twitter_reading:rows(BobClient, <<>>)),
    ok.

%% The name is made in this node; the server needs no library for it.
stored_node(Jid) ->
    twitter_path:stored(Jid).

attempts(Node, Id) ->
    Get = fun(Content) -> fun(Client) -> twitter_requests:pubsub(Client, get, Content) end end,
    Set = fun(Content) -> fun(Client) -> twitter_requests:pubsub(Client, set, Content) end end,
    Owner = fun(Type, Content) ->
        fun(Client) -> twitter_requests:owner(Client, Type, Content) end
    end,
    Info = fun(Client) -> twitter_requests:info(Client, Node) end,
    Rows = fun(Parent) -> fun(Client) -> twitter_requests:rows(Client, Parent) end end,
    [
        Get(["<items node='", Node, "'/>"]),
        Get(["<items node='", Node, "' max_items='1'/>"]),
        Get(["<items node='", Node, "'><item id='", Id, "'/></items>"]),
        Get(["<affiliations node='", Node, "'/>"]),
        Get(["<subscriptions node='", Node, "'/>"]),
        Set(["<subscribe node='", Node, "' jid='carol@localhost'/>"]),
        Set(["<retract node='", Node, "'><item id='", Id, "'/></retract>"]),
        Set(["<publish node='", Node, "'><item id='", Id, "'><a xmlns='urn:a'/></item></publish>"]),
        Owner(get, ["<configure node='", Node, "'/>"]),
        Owner(get, ["<affiliations node='", Node, "'/>"]),
        Owner(set, ["<purge node='", Node, "'/>"]),
        Owner(set, ["<delete node='", Node, "'/>"]),
        Info,
        Rows(Node),
        Rows(<<"/twitter">>),
        Rows(<<"/twitter/MyFriends">>)
    ].

contains(Answer, Text) ->
    nomatch =/= binary:match(fxml:element_to_binary(Answer), Text).

assert_logged(Server, Words) ->
    assert_line(twitter_server:log(Server), Words).

%% There is one line with all these words.
assert_line(Log, Words) ->
    Lines = binary:split(Log, <<"\n">>, [global]),
    Has = fun(Line) -> lists:all(fun(Word) -> nomatch =/= binary:match(Line, Word) end, Words) end,
    case lists:any(Has, Lines) of
        true -> ok;
        false -> error({not_logged, Words, Log})
    end.
