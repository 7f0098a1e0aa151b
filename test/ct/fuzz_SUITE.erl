%%% Thousands of requests with something wrong, by several clients at once, each without waiting for the
%%% answers to those before: each is answered once, with an error if it must be one; nothing else happens.
%%%
%%% The seed is printed; SEED in the environment plays one again, as far as several clients can.
-module(fuzz_SUITE).

-include_lib("fast_xml/include/fxml.hrl").
-include_lib("stdlib/include/assert.hrl").

-export([suite/0, all/0, init_per_suite/1, end_per_suite/1]).
-export([wrong_requests_change_nothing/1, no_error_was_logged/1]).

-define(SERVICE, <<"pubsub.localhost">>).
-define(MINE, <<"/twitter/MyStream">>).
-define(SECRET, <<"what Alice wrote">>).
-define(NS_STANZAS, <<"urn:ietf:params:xml:ns:xmpp-stanzas">>).
-define(CONDITIONS, [
    <<"bad-request">>, <<"conflict">>, <<"feature-not-implemented">>, <<"forbidden">>, <<"item-not-found">>, <<"jid-malformed">>,
    <<"not-acceptable">>, <<"not-allowed">>, <<"resource-constraint">>, <<"service-unavailable">>
]).
%% Of each client: before anything is counted, and then.
-define(FIRST, 200).
-define(THEN, 1200).
-define(AT_ONCE, 50).
%% Bytes that may be taken by what was published, and by what ejabberd keeps of requests.
-define(SOME_MEMORY, 30_000_000).

suite() ->
    [{timetrap, {seconds, 180}}].

all() ->
    [wrong_requests_change_nothing, no_error_was_logged].

init_per_suite(Config) ->
    Seed = case os:getenv("SEED") of
               false -> rand:uniform(1 bsl 32);
               Text -> list_to_integer(Text)
           end,
    ct:pal("SEED=~b", [Seed]),
    twitter_cases:start([{seed, Seed} | Config], #{hosts => [<<"localhost">>, <<"other.localhost">>]}).

end_per_suite(Config) ->
    twitter_cases:stop(Config).

%% Two friends of Alice, somebody who is none and a user of another host ask; Bob is a friend who reads,
%% Trent is nobody's friend.
wrong_requests_change_nothing(Config) ->
    Server = twitter_cases:server(Config),
    [Alice, Bob, Mallory, Marvin] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>, <<"mallory">>, <<"marvin">>]),
    [Eve, Trent] = twitter_cases:strangers(Config, [<<"eve">>, <<"trent">>]),
    Oscar = twitter_users:login(Server, twitter_users:fresh(Server, <<"oscar">>, <<"other.localhost">>)),
    AliceJid = twitter_client:bare(Alice),
    Ids = [twitter_requests:publish(Alice, Text) || Text <- [?SECRET, <<"two ", ?SECRET/binary>>]],
    ok = twitter_server:settle(Server, ?SERVICE),
    Before = seen(Alice, Bob),
    _ = [twitter_client:sync(Client) || Client <- [Alice, Bob, Trent]],
    Key = twitter_server:call(Server, persistent_term, get, [{twitter_path, key}]),
    Common = #{friend => AliceJid, post => hd(Ids), key => Key, seed => proplists:get_value(seed, Config)},
    Fuzzers = [
        Common#{client => Client, self => twitter_client:bare(Client), number => Number, kinds => Kinds}
     || {Number, Client, Kinds} <- [
            {1, Mallory, [valid, wrong, wild]}, {2, Marvin, [valid, wrong, wild]}, {3, Eve, [stranger, wild]}, {4, Oscar, [stranger, wild]}
        ]
    ],
    %% What is done for the first time may make atoms, and start processes that stay.
    Start = together(Fuzzers, ?FIRST, [#{} || _ <- Fuzzers]),
    Measured = measured(Server),
    Posts = together(Fuzzers, ?THEN, Start),
    _ = [twitter_client:sync(Client) || Client <- [Mallory, Marvin, Eve, Oscar]],
    ok = twitter_server:settle(Server, ?SERVICE),
    unharmed(Server, Measured),
    %% What was acknowledged is stored, and nothing else, nor for anybody else.
    [?assertEqual(lists:sort(maps:keys(Stored)), lists:sort(all_ids(Client))) || {#{client := Client}, Stored} <- lists:zip(Fuzzers, Posts)],
    Authors = [twitter_client:bare(Client) || Client <- [Alice, Mallory, Marvin, Eve]],
    ?assertEqual([], twitter_stored:authors(Server) -- Authors),
    %% Alice's friends do not know each other: of what they wrote she got all, they nothing.
    ?assertEqual(Before, seen(Alice, Bob)),
    [?assertEqual([], [S || #xmlel{name = <<"message">>} = S <- twitter_client:sync(Client)]) || Client <- [Bob, Trent]],
    ?assertEqual([], all_ids(Trent)),
    Friends = lists:usort([Publisher || {item, Publisher, _, _} <- twitter_events:posts(Server, Alice)]),
    ?assertEqual(lists:sort([twitter_client:bare(Client) || Client <- [Mallory, Marvin]]), Friends),
    %% And all works.
    Last = twitter_requests:publish(Alice, <<"After all">>),
    ?assertMatch([{item, AliceJid, Last, [{xmlcdata, <<"After all">>}]}], twitter_events:posts(Server, Bob)),
    ?assertEqual([], twitter_events:posts(Server, Trent)),
    ok = twitter_ordinary:check(Server).

%% Alice's stream, for herself and for a friend, as bytes.
seen(Alice, Bob) ->
    AliceJid = twitter_client:bare(Alice),
    [
        twitter_answers:anonymous(Ask(Client, Node), [])
     || {Client, Node} <- [{Alice, ?MINE}, {Bob, <<"/twitter/FriendsStream">>}, {Bob, <<"/twitter/MyFriends/", AliceJid/binary>>}],
        Ask <- [fun twitter_requests:items/2, fun twitter_requests:rows/2, fun twitter_requests:info/2]
    ].

all_ids(Client) ->
    Service = {Client, ?SERVICE},
    [Id || {_, Id, _} <- twitter_reading:stream(Service, ?MINE)].

%%% The server

measured(Server) ->
    %% Modules have atoms, and are loaded when they are first used.
    Modules = [list_to_atom(Name) || {Name, File, false} <- twitter_server:call(Server, code, all_available, []), is_list(File),
                                     match =:= re:run(File, "xmpp|xml|ejabberd|stdlib|kernel", [{capture, none}])],
    _ = twitter_server:call(Server, code, ensure_modules_loaded, [Modules]),
    _ = [twitter_server:call(Server, erlang, garbage_collect, [Pid]) || Pid <- twitter_server:call(Server, erlang, processes, [])],
    Memory = twitter_server:call(Server, erlang, memory, [total]),
    {twitter_server:os_pid(Server), twitter_server:call(Server, erlang, system_info, [atom_count]),
     twitter_server:call(Server, erlang, system_info, [process_count]), Memory}.

unharmed(Server, {Os, Atoms, Processes, Memory} = Before) ->
    {OsNow, AtomsNow, ProcessesNow, MemoryNow} = Now = measured(Server),
    ct:pal("before: ~p, afterwards: ~p", [Before, Now]),
    ?assertEqual(Os, OsNow),
    ?assertEqual([], [atom(Server, Number) || Number <- lists:seq(Atoms, AtomsNow - 1)]),
    ?assert(ProcessesNow =< Processes, {Processes, ProcessesNow}),
    ?assert(MemoryNow - Memory < ?SOME_MEMORY, {Memory, MemoryNow}).

%% An atom by its number, as the node has it inside.
atom(Server, Number) ->
    twitter_server:call(Server, erlang, binary_to_term, [<<131, 75, Number:24>>]).

%%% A client

%% Each asks so much, in its own process; returns the posts that each of them has by then.
together(Fuzzers, Count, Starts) ->
    twitter_cases:together([fun() -> asked(Fuzzer, Count, Start) end || {Fuzzer, Start} <- lists:zip(Fuzzers, Starts)]).

asked(#{seed := Seed, number := Number} = Fuzzer, Count, Start) ->
    _ = rand:seed(exsss, {Seed, Number, Count}),
    lists:foldl(fun(_, Posts) -> portion(Fuzzer, Posts) end, Start, lists:seq(1, Count div ?AT_ONCE)).

portion(#{client := Client} = Fuzzer, Posts) ->
    Requests = [{integer_to_binary(erlang:unique_integer([positive])), request(Fuzzer)} || _ <- lists:seq(1, ?AT_ONCE)],
    ok = twitter_client:raw(Client, [[stanza(Request), bystanders(Fuzzer)] || Request <- Requests]),
    Answers = answers(Client, [Id || {Id, _} <- Requests]),
    lists:foldl(
        fun({Id, Request}, Now) ->
            Answer = maps:get(Id, Answers),
            try check(Request, Answer, Fuzzer) catch
                error:Reason ->
                    {Expected, Kind, _, _} = Request,
                    ct:pal("~0p, ~p:~n~ts~n~ts", [Kind, Expected, shown(stanza({Id, Request})), shown(fxml:element_to_binary(Answer))]),
                    error(Reason)
            end,
            stored(Request, fxml:get_tag_attr_s(<<"type">>, Answer), Answer, Now)
        end,
        Posts, Requests
    ).

request(#{kinds := Kinds} = Fuzzer) ->
    People = maps:with([self, friend, post], Fuzzer),
    case lists:nth(rand:uniform(length(Kinds)), Kinds) of
        valid -> twitter_fuzz:valid(People);
        wrong -> twitter_fuzz:wrong(People);
        wild -> twitter_fuzz:wild(People);
        %% Who has no friend, or cannot publish, is refused more.
        stranger ->
            case twitter_fuzz:wrong(People) of
                {error, [_, pending], _, _} = Wrong -> Wrong;
                {_, [Mistake, Name], Type, Element} -> {error, [Mistake, Name], Type, Element}
            end
    end.

stanza({Id, {_, _, Type, Element}}) ->
    fxml:element_to_binary(#xmlel{
        name = <<"iq">>, attrs = [{<<"type">>, atom_to_binary(Type)}, {<<"to">>, ?SERVICE}, {<<"id">>, Id}], children = [Element]
    }).

bystanders(Fuzzer) ->
    case rand:uniform(5) of
        1 -> fxml:element_to_binary(twitter_fuzz:bystander(maps:with([self, friend, post], Fuzzer), ?SERVICE));
        _ -> []
    end.

%% By id; each comes once. Later than the answer to a ping comes none.
answers(Client, Ids) ->
    Stanzas = [{fxml:get_tag_attr_s(<<"id">>, Stanza), Stanza} || #xmlel{name = <<"iq">>} = Stanza <- twitter_client:sync(Client)],
    Own = [Answer || {Id, _} = Answer <- Stanzas, lists:member(Id, Ids)],
    ?assertEqual(lists:sort(Ids), lists:sort([Id || {Id, _} <- Own])),
    maps:from_list(Own).

%%% What an answer must be

check({Expected, [Kind | _], _, _}, Answer, #{key := Key} = Fuzzer) ->
    Bytes = fxml:element_to_binary(Answer),
    ?assertEqual(nomatch, binary:match(Bytes, Key)),
    _ = [?assertEqual(nomatch, binary:match(Bytes, ?SECRET)) || stranger <- maps:get(kinds, Fuzzer)],
    Type = fxml:get_tag_attr_s(<<"type">>, Answer),
    ?assert(lists:member(Type, [<<"result">>, <<"error">>])),
    ?assert(Expected =:= either orelse atom_to_binary(Expected) =:= Type, Expected),
    _ = [check_error(Error, Kind) || <<"error">> <- [Type], Error <- [fxml:get_subtag(Answer, <<"error">>)]].

%% A condition that is defined, and words for a person, unless mod_pubsub was asked about nothing of ours.
check_error(#xmlel{children = Children} = Error, Kind) ->
    ?assert(lists:member(fxml:get_tag_attr_s(<<"type">>, Error), [<<"auth">>, <<"cancel">>, <<"modify">>, <<"wait">>])),
    Names = [Name || #xmlel{name = Name} = Child <- Children, fxml:get_tag_attr_s(<<"xmlns">>, Child) =:= ?NS_STANZAS],
    ?assertMatch([_], [Name || Name <- Names, lists:member(Name, ?CONDITIONS)]),
    Text = fxml:get_path_s(Error, [{elem, <<"text">>}, cdata]),
    ?assert(Text =/= <<>> orelse lists:member(Kind, [wild, namespace, name, inner_namespace, inner_name, empty])).

%% The posts of whoever asked, after this answer.
stored({_, _, set, Request}, <<"result">>, Answer, Posts) ->
    Published = fxml:get_path_s(Answer, [{elem, <<"pubsub">>}, {elem, <<"publish">>}, {elem, <<"item">>}, {attr, <<"id">>}]),
    Retracted = [fxml:get_path_s(Retract, [{elem, <<"item">>}, {attr, <<"id">>}]) || #xmlel{name = <<"retract">>} = Retract <- Request#xmlel.children],
    case {Published, Retracted} of
        {<<>>, []} -> Posts;
        {<<>>, _} -> maps:without(Retracted, Posts);
        {Id, _} -> Posts#{Id => true}
    end;
stored(_, _, _, Posts) ->
    Posts.

shown(Bytes) ->
    string:slice(Bytes, 0, 3000).

no_error_was_logged(Config) ->
    twitter_cases:no_error_was_logged(Config).
