%%% The commands for admins, by the HTTP API and as ejabberdctl runs them.
-module(admin_SUITE).

-include_lib("fast_xml/include/fxml.hrl").
-include_lib("stdlib/include/assert.hrl").

-export([all/0, init_per_suite/1, end_per_suite/1]).
-export([
    a_post_in_somebodys_name/1,
    limits_on_posting_do_not_hold/1,
    a_post_is_deleted/1,
    the_timeline_is_that_of_the_user/1,
    everything_of_a_user_is_exported/1,
    settings_of_a_user_are_exported/1,
    settings_of_a_user_are_deleted/1,
    what_cannot_be_read_is_not_left_out/1,
    everything_of_a_user_is_deleted/1,
    numbers_of_a_host/1,
    what_is_in_memory_is_read_anew/1,
    what_cannot_be_done/1,
    commands_are_documented/1,
    commands_come_and_go_with_the_module/1,
    no_error_was_logged/1
]).

-define(HOST, <<"localhost">>).
-define(MINE, <<"/twitter/MyStream">>).
-define(FRIENDS, <<"/twitter/FriendsStream">>).
-define(COMMANDS, [
    twitter_delete_post, twitter_export, twitter_post, twitter_purge_user, twitter_reload, twitter_stats, twitter_timeline
]).

all() ->
    [
        a_post_in_somebodys_name,
        limits_on_posting_do_not_hold,
        a_post_is_deleted,
        the_timeline_is_that_of_the_user,
        everything_of_a_user_is_exported,
        settings_of_a_user_are_exported,
        settings_of_a_user_are_deleted,
        what_cannot_be_read_is_not_left_out,
        everything_of_a_user_is_deleted,
        numbers_of_a_host,
        what_is_in_memory_is_read_anew,
        what_cannot_be_done,
        commands_are_documented,
        commands_come_and_go_with_the_module,
        no_error_was_logged
    ].

init_per_suite(Config) ->
    {ok, _} = application:ensure_all_started(inets),
    Started = twitter_cases:start(Config, #{modules => #{mod_http_api => #{}}}),
    Port = twitter_server:free_port(),
    Server = twitter_cases:server(Started),
    Listener = #{ip => <<"127.0.0.1">>},
    ok = twitter_server:reload(Server, #{options => #{
        api_permissions => #{tests => #{who => #{ip => <<"127.0.0.0/8">>}, what => <<"*">>}},
        listen => [
            %% As it is: it stays open.
            Listener#{port => twitter_server:port(Server), module => ejabberd_c2s, access => all, shaper => none},
            Listener#{port => Port, module => ejabberd_http, request_handlers => #{<<"/api">> => mod_http_api, <<"/metrics">> => twitter_metrics}}
        ]
    }}),
    [{http, Port} | Started].

end_per_suite(Config) ->
    ok = application:stop(inets),
    twitter_cases:stop(Config).

%%% Cases

%% What a client for feeds shows (XEP-0277), and a text for all others.
a_post_in_somebodys_name(Config) ->
    [Alice, Bob, Eve] = three(Config),
    {200, Id} = ask(Config, twitter_post, Alice, #{text => <<"Five & six\nseven"/utf8>>}),
    Event = twitter_client:expect(Bob, twitter_events:is_event(?FRIENDS, Id)),
    ?assertEqual(
        <<(twitter_client:bare(Alice))/binary, ": Five & six\nseven">>,
        fxml:get_path_s(Event, [{elem, <<"body">>}, cdata])
    ),
    [{Author, Id, Entry}] = twitter_reading:entries(Bob, ?FRIENDS),
    ?assertEqual(Author, twitter_client:bare(Alice)),
    ?assertEqual(<<"http://www.w3.org/2005/Atom">>, fxml:get_tag_attr_s(<<"xmlns">>, Entry)),
    Text = fun(Path) -> fxml:get_path_s(Entry, [{elem, Name} || Name <- Path] ++ [cdata]) end,
    ?assertEqual(<<"Five & six seven">>, Text([<<"title">>])),
    ?assertEqual(<<"Five & six\nseven">>, Text([<<"content">>])),
    ?assertEqual(<<"xmpp:", Author/binary>>, Text([<<"author">>, <<"uri">>])),
    ?assertEqual(Text([<<"published">>]), Text([<<"updated">>])),
    ?assertMatch({match, _}, re:run(Text([<<"published">>]), "^20..-..-..T..:..:...*Z$")),
    ?assertMatch({match, _}, re:run(Text([<<"id">>]), ["^tag:localhost,20..-..-..:", Author, "/", Id, "$"])),
    nothing_came_to(Config, Eve).

limits_on_posting_do_not_hold(Config) ->
    Server = twitter_cases:server(Config),
    [Alice, Bob, _] = three(Config),
    ok = twitter_server:reload(Server, #{twitter => #{access_post => none, post_rate => #{burst => 1, refill => 1}}}),
    Ids = [element(2, {200, _} = ask(Config, twitter_post, Alice, #{text => <<"Hello">>})) || _ <- [1, 2, 3]],
    ok = twitter_server:reload(Server, #{twitter => #{}}),
    ?assertEqual(Ids, twitter_reading:ids(Bob, ?FRIENDS)).

a_post_is_deleted(Config) ->
    Server = twitter_cases:server(Config),
    [Alice, Bob, Eve] = three(Config),
    [One, Two] = [twitter_requests:publish(Alice, <<"Hello">>) || _ <- [1, 2]],
    ?assertEqual([One, Two], [Id || {item, _, Id, _} <- twitter_events:posts(Server, Bob)]),
    ?assertEqual({200, <<"The post is deleted">>}, ask(Config, twitter_delete_post, Alice, #{id => One})),
    ?assertMatch([{retract, _, One}], twitter_events:posts(Server, Bob)),
    ?assertEqual([Two], twitter_reading:ids(Alice, ?MINE)),
    ?assertMatch({500, #{<<"message">> := _}}, ask(Config, twitter_delete_post, Alice, #{id => One})),
    nothing_came_to(Config, Eve).

%% As he may read it now, and nobody else.
the_timeline_is_that_of_the_user(Config) ->
    [Alice, Bob, Eve] = three(Config),
    Author = twitter_client:bare(Alice),
    Ids = [twitter_requests:publish(Alice, <<"Post ", (integer_to_binary(N))/binary>>) || N <- lists:seq(1, 5)],
    {200, Posts} = ask(Config, twitter_timeline, Bob, #{count => 3}),
    Newest = lists:enumerate(lists:sublist(lists:reverse(Ids), 3)),
    ?assertEqual(Newest, [{maps:get(<<"number">>, Post), maps:get(<<"id">>, Post)} || Post <- Posts]),
    ?assertMatch([#{<<"author">> := Author, <<"text">> := <<"Post 5">>, <<"published">> := <<"20", _/binary>>} | _], Posts),
    ?assertMatch({200, [_, _, _, _, _]}, ask(Config, twitter_timeline, Bob, #{count => 1000})),
    ?assertEqual({200, []}, ask(Config, twitter_timeline, Bob, #{count => 0})),
    ?assertEqual({200, []}, ask(Config, twitter_timeline, Bob, #{count => -1})),
    ?assertEqual({200, []}, ask(Config, twitter_timeline, Eve, #{count => 10})),
    ok = twitter_users:remove_contact(Alice, twitter_client:bare(Bob)),
    ?assertEqual({200, []}, ask(Config, twitter_timeline, Bob, #{count => 10})).

everything_of_a_user_is_exported(Config) ->
    [Alice, Bob, _] = three(Config),
    Text = <<"<\"quoted\">\n\\ ☃"/utf8>>,
    One = twitter_requests:publish(Alice, Text),
    Element = fxml_stream:parse_element(<<"<a xmlns='urn:a'><title>Titled</title></a>">>),
    Two = twitter_requests:publish(Alice, Element),
    One = twitter_requests:publish(Alice, One, Text),
    _ = twitter_requests:publish(Bob, <<"Of Bob">>),
    {200, Json} = ask(Config, twitter_export, Alice, #{}),
    Name = twitter_client:bare(Alice),
    #{<<"user">> := Name, <<"posts">> := [First, Second], <<"settings">> := null, <<"read_marks">> := [Mark]} = decode(Config, Json),
    #{<<"host">> := <<"pubsub.localhost">>, <<"mark">> := <<"online ", _/binary>>} = Mark,
    #{<<"id">> := One, <<"text">> := Text, <<"published">> := At, <<"updated">> := Later} = First,
    ?assert(At < Later),
    ?assertNot(is_map_key(<<"xml">>, First)),
    #{<<"id">> := Two, <<"text">> := <<"Titled">>, <<"xml">> := Xml, <<"published">> := Same, <<"updated">> := Same} = Second,
    ?assertEqual(Element, fxml_stream:parse_element(Xml)).

%% And nobody else's.
settings_of_a_user_are_exported(Config) ->
    [Alice, Bob, Eve] = three(Config),
    ok = keep(Alice, kept(Bob, Eve)),
    ok = keep(Alice, marks(<<"on and on">>)),
    {200, Json} = ask(Config, twitter_export, Alice, #{}),
    [Friend, Other] = [twitter_client:bare(Client) || Client <- [Bob, Eve]],
    #{<<"settings">> := Settings, <<"read_marks">> := Marks} = decode(Config, Json),
    Muted = [#{<<"friend">> => Friend, <<"until">> => null}, #{<<"friend">> => Other, <<"until">> => <<"2100-01-01T00:00:00.000001Z">>}],
    ?assertEqual(
        #{<<"pushes">> => true, <<"bodies">> => false, <<"catch_up">> => true, <<"muted">> => Muted},
        Settings#{<<"muted">> := lists:sort(maps:get(<<"muted">>, Settings))}
    ),
    ?assertEqual([#{<<"host">> => <<"pubsub.localhost">>, <<"mark">> => <<"on and on">>}], Marks),
    {200, Bobs} = ask(Config, twitter_export, Bob, #{}),
    ?assertMatch(#{<<"settings">> := null, <<"read_marks">> := [#{<<"mark">> := <<"online ", _/binary>>}]}, decode(Config, Bobs)).

%% At once, in the session that is there; and what other programs keep there stays.
settings_of_a_user_are_deleted(Config) ->
    Server = twitter_cases:server(Config),
    [Alice, Bob, Eve] = three(Config),
    Others = twitter_requests:el(<<"storage">>, [{<<"xmlns">>, <<"storage:rosternotes">>}], [{xmlcdata, <<"notes">>}]),
    [ok = keep(Bob, El) || El <- [Others, kept(Alice, Eve), marks(<<"on and on">>)]],
    Phone = twitter_users:login(Server, twitter_cases:user(Bob)),
    _ = twitter_requests:publish(Alice, <<"muted">>),
    ?assertEqual([], twitter_events:posts(Server, Phone)),
    ?assertEqual({200, <<"Posts, settings and read marks are deleted">>}, ask(Config, twitter_purge_user, Bob, #{})),
    Heard = twitter_requests:publish(Alice, <<"heard">>),
    [Event] = twitter_events:received(Server, Phone),
    ?assertMatch([{item, _, Heard, _}], twitter_events:entries(Event)),
    ?assertNotEqual(none, twitter_events:body(Event)),
    {200, Json} = ask(Config, twitter_export, Bob, #{}),
    ?assertMatch(#{<<"settings">> := null, <<"read_marks">> := []}, decode(Config, Json)),
    ?assertEqual(<<"notes">>, fxml:get_tag_cdata(kept_of(Bob, Others))),
    [?assertMatch(#xmlel{children = []}, kept_of(Bob, El)) || El <- [kept(Alice, Eve), marks(<<>>)]],
    ?assertMatch({200, _}, ask(Config, twitter_purge_user, Bob, #{})).

%% An export that says "no settings" must mean it.
what_cannot_be_read_is_not_left_out(Config) ->
    Server = twitter_cases:server(Config),
    [Alice, Bob, Eve] = three(Config),
    Said = twitter_log:said(Server, fun() ->
        twitter_stored:without(Server, private_storage, fun() ->
            [?assertMatch({500, #{<<"message">> := _}}, ask(Config, Command, Alice, #{})) || Command <- [twitter_export, twitter_purge_user]]
        end)
    end),
    %% Of SQL ejabberd itself says it.
    ?assertMatch({match, _}, re:run(Said, "cannot be read|SQL query .*(private_storage|mod_private_sql)")),
    ok = keep(Alice, kept(Bob, Eve)),
    ?assertMatch({200, _}, ask(Config, twitter_export, Alice, #{})).

everything_of_a_user_is_deleted(Config) ->
    Server = twitter_cases:server(Config),
    [Alice, Bob, Eve] = three(Config),
    Id = twitter_requests:publish(Alice, <<"Hello">>),
    Own = twitter_requests:publish(Bob, <<"Hello">>),
    _ = twitter_events:posts(Server, Bob),
    ?assertEqual({200, <<"Posts, settings and read marks are deleted">>}, ask(Config, twitter_purge_user, Alice, #{})),
    ?assertMatch([{retract, _, Id}], twitter_events:posts(Server, Bob)),
    ?assertEqual([], twitter_reading:ids(Alice, ?MINE)),
    ?assertEqual([], twitter_reading:ids(Bob, ?FRIENDS)),
    ?assertEqual([Own], twitter_reading:ids(Bob, ?MINE)),
    ?assertEqual({200, <<"Posts, settings and read marks are deleted">>}, ask(Config, twitter_purge_user, Alice, #{})),
    Next = twitter_requests:publish(Alice, <<"I am still here">>),
    ?assertEqual([Next], twitter_reading:ids(Bob, ?FRIENDS)),
    nothing_came_to(Config, Eve).

%% By the command, and as Prometheus reads them.
numbers_of_a_host(Config) ->
    Server = twitter_cases:server(Config),
    [Alice, Bob, _] = three(Config),
    Numbers = fun() ->
        {200, Stats} = post(Config, twitter_stats, #{host => ?HOST}),
        numbers(Stats)
    end,
    Before = Numbers(),
    _ = [twitter_requests:publish(Alice, <<"Hello">>) || _ <- lists:seq(1, 10)],
    ?assertMatch([_, _, _, _, _, _, _, _, _, _], twitter_events:posts(Server, Bob)),
    _ = twitter_reading:ids(Bob, ?FRIENDS),
    After = Numbers(),
    Grown = fun(Name) -> maps:get(Name, After) - maps:get(Name, Before) end,
    ?assertEqual(10, Grown(<<"pushed_total">>)),
    ?assertEqual(10, Grown(<<"posts">>)),
    ?assertEqual(10, Grown(<<"push_count">>)),
    ?assert(Grown(<<"read_count">>) >= 1),
    ?assertMatch(#{<<"waiting_bytes">> := 0, <<"under_way_bytes">> := 0, <<"not_pushed_total">> := 0}, After),
    [
        ?assert(0 < P50 andalso P50 =< P99 andalso P99 =< Max)
     || Of <- [<<"push">>, <<"read">>],
        [P50, P99, Max] <- [[maps:get(<<Of/binary, Name/binary>>, After) || Name <- [<<"_p50_us">>, <<"_p99_us">>, <<"_max_us">>]]]
    ],
    {200, Text} = get(Config, "/metrics"),
    [
        ?assertMatch({match, _}, re:run(Text, Line, [multiline]))
     || Line <- [
            "^# TYPE twitter_pushed_total counter$",
            "^twitter_posts{host=\"localhost\"} [1-9][0-9]*$",
            "^twitter_push_seconds{host=\"localhost\",quantile=\"0.99\"} 0\\.[0-9]{6}$",
            "^twitter_read_seconds_count{host=\"localhost\"} [1-9][0-9]*$"
        ]
    ],
    ?assertMatch({404, _}, get(Config, "/metrics/more")),
    {404, _} = post(Config, nonsense, #{}),
    {500, #{<<"message">> := Words}} = post(Config, twitter_stats, #{host => <<"elsewhere">>}),
    ?assertMatch({match, _}, re:run(Words, "no microblogs")).

numbers(Stats) ->
    maps:from_list([{What, Value} || #{<<"what">> := What, <<"value">> := Value} <- Stats]).

what_is_in_memory_is_read_anew(Config) ->
    Server = twitter_cases:server(Config),
    [Alice, Bob, Eve] = three(Config),
    Id = twitter_requests:publish(Alice, <<"Hello">>),
    ?assertEqual([Id], twitter_reading:ids(Bob, ?FRIENDS)),
    ?assertEqual({200, <<"What was in memory is read anew">>}, post(Config, twitter_reload, #{host => ?HOST})),
    {200, Stats} = post(Config, twitter_stats, #{host => ?HOST}),
    ?assertMatch(#{<<"posts">> := 0, <<"payloads">> := 0}, numbers(Stats)),
    ?assertEqual([Id], twitter_reading:ids(Bob, ?FRIENDS)),
    Next = twitter_requests:publish(Alice, <<"Hello again">>),
    ?assertEqual([Id, Next], [Post || {item, _, Post, _} <- twitter_events:posts(Server, Bob)]),
    ?assertEqual([], twitter_reading:ids(Eve, ?FRIENDS)),
    nothing_came_to(Config, Eve).

what_cannot_be_done(Config) ->
    [Alice, _, _] = three(Config),
    [
        begin
            {Code, #{<<"message">> := Text}} = ask(Config, Command, User, Args),
            ?assert(Code >= 400),
            ?assertMatch({match, _}, re:run(Text, Words))
        end
     || {Command, User, Args, Words} <- [
            {twitter_post, <<"nobody@localhost">>, #{text => <<"Hello">>}, "no such user"},
            {twitter_post, <<"alice@elsewhere">>, #{text => <<"Hello">>}, "no microblogs"},
            {twitter_post, <<" @localhost">>, #{text => <<"Hello">>}, "no such user"},
            {twitter_post, Alice, #{text => <<>>}, "empty"},
            {twitter_post, Alice, #{text => <<" \n\x{200b}"/utf8>>}, "empty"},
            {twitter_post, Alice, #{text => binary:copy(<<"x">>, 70_000)}, "larger than"},
            {twitter_timeline, <<"nobody@localhost">>, #{count => 1}, "no such user"},
            {twitter_delete_post, <<"nobody@localhost">>, #{id => <<"a">>}, "no such user"},
            {twitter_delete_post, Alice, #{id => <<>>}, "id"}
        ]
    ],
    ?assertEqual([], twitter_reading:ids(Alice, ?MINE)).

commands_are_documented(Config) ->
    Server = twitter_cases:server(Config),
    Ctl = fun(Words) -> twitter_server:call(Server, ejabberd_ctl, process, [Words]) end,
    [?assertEqual({Command, 0}, {Command, Ctl(["help", atom_to_list(Command)])}) || Command <- ?COMMANDS].

commands_come_and_go_with_the_module(Config) ->
    Server = twitter_cases:server(Config),
    Known = fun() ->
        [Name || {Name, _, _} <- twitter_server:call(Server, ejabberd_commands, list_commands, []), lists:member(Name, ?COMMANDS)]
    end,
    ?assertEqual(?COMMANDS, lists:sort(Known())),
    ok = twitter_server:call(Server, gen_mod, stop_module, [?HOST, mod_twitter]),
    ?assertEqual([], Known()),
    {ok, _} = twitter_server:call(Server, gen_mod, start_module, [?HOST, mod_twitter]),
    ?assertEqual(?COMMANDS, lists:sort(Known())).

%% But of storage that was taken away.
no_error_was_logged(Config) ->
    Errors = twitter_log:errors(twitter_server:log(twitter_cases:server(Config))),
    ?assertEqual([], [Error || Error <- Errors, nomatch =:= re:run(Error, "is kept for .* cannot be read|SQL query .* (private_storage|failed)")]).

%%% Helpers

%% Two friends, and somebody who knows neither.
three(Config) ->
    twitter_cases:friends(Config, [<<"alice">>, <<"bob">>]) ++ twitter_cases:strangers(Config, [<<"eve">>]).

%% Settings and marks as they are kept: here a client has written them.
kept(Muted, MutedForAWhile) ->
    Mute = fun(Client, Attrs) -> twitter_requests:el(<<"mute">>, [{<<"jid">>, twitter_client:bare(Client)} | Attrs], []) end,
    Attrs = [{<<"xmlns">>, <<"urn:ejabberd:twitter:settings">>}, {<<"bodies">>, <<"false">>}],
    twitter_requests:el(<<"settings">>, Attrs, [Mute(Muted, []), Mute(MutedForAWhile, [{<<"until">>, <<"4102444800000001">>}])]).

marks(Text) ->
    Mark = twitter_requests:el(<<"mark">>, [{<<"host">>, <<"pubsub.localhost">>}], [{xmlcdata, Text}]),
    twitter_requests:el(<<"unread">>, [{<<"xmlns">>, <<"urn:ejabberd:twitter:unread">>}], [Mark]).

keep(Client, Element) ->
    _ = twitter_answers:result(private(Client, set, Element)),
    ok.

kept_of(Client, #xmlel{} = Element) ->
    Answer = twitter_answers:result(private(Client, get, Element#xmlel{children = []})),
    #xmlel{children = [Kept]} = fxml:get_subtag(Answer, <<"query">>),
    Kept.

private(Client, Type, Element) ->
    Query = twitter_requests:el(<<"query">>, [{<<"xmlns">>, <<"jabber:iq:private">>}], [Element]),
    twitter_requests:ask({Client, twitter_client:bare(Client)}, Type, Query).

nothing_came_to(Config, Client) ->
    ?assertEqual([], twitter_events:posts(twitter_cases:server(Config), Client)).

%% A command by the HTTP API, about a user: its status, and its answer.
ask(Config, Command, Client, Args) when is_pid(Client) ->
    ask(Config, Command, twitter_client:bare(Client), Args);
ask(Config, Command, Jid, Args) ->
    [User, Host] = binary:split(Jid, <<"@">>),
    post(Config, Command, Args#{user => User, host => Host}).

post(Config, Command, Args) ->
    Request = {url(Config, ["/api/", atom_to_list(Command)]), [], "application/json", encode(Config, Args)},
    {ok, {{_, Code, _}, _, Answer}} = httpc:request(post, Request, [], [{body_format, binary}]),
    {Code, value(decode(Config, Answer))}.

get(Config, Path) ->
    {ok, {{_, Code, _}, _, Answer}} = httpc:request(get, {url(Config, Path), []}, [], [{body_format, binary}]),
    {Code, Answer}.

url(Config, Path) ->
    lists:flatten(["http://127.0.0.1:", integer_to_list(proplists:get_value(http, Config)), Path]).

%% A result that is one string comes under its name.
value(#{<<"id">> := Id} = Answer) when map_size(Answer) =:= 1 -> Id;
value(#{<<"json">> := Json}) -> Json;
value(Answer) -> Answer.

%% By OTP's own library, and before OTP 27 by the one that ejabberd has.
encode(Config, Map) ->
    case has_json(Config) of
        true -> iolist_to_binary(twitter_server:call(twitter_cases:server(Config), json, encode, [Map]));
        false -> twitter_server:call(twitter_cases:server(Config), jiffy, encode, [Map])
    end.

decode(Config, Json) ->
    case has_json(Config) of
        true -> twitter_server:call(twitter_cases:server(Config), json, decode, [Json]);
        false -> twitter_server:call(twitter_cases:server(Config), jiffy, decode, [Json, [return_maps]])
    end.

has_json(Config) ->
    is_list(twitter_server:call(twitter_cases:server(Config), code, which, [json])).
