%%% A random walk: the model of test/model chooses what happens and tells who must get and see what; a
%%% real server plays it, and after each step all that every session received and everybody's pages are
%%% compared.
%%%
%%% The same seed leads to the same walk.
-module(twitter_walk).

-include_lib("fast_xml/include/fxml.hrl").

-export([run/3]).

-type limit() :: {steps, pos_integer()} | {seconds, pos_integer()}.
%% What was compared, what the model says, and what was found.
-type finding() :: {What :: term(), Expected :: term(), Found :: term()}.

-define(SERVICE, <<"pubsub.localhost">>).
-define(FRIENDS, <<"/twitter/FriendsStream">>).
-define(MINE, <<"/twitter/MyStream">>).
%% Nobody has so many posts to read.
-define(ALL, #{rsm => #{max => 1000}}).

%% @doc Walks so many steps, or so long; returns the number of steps.
-spec run(twitter_server:server(), Seed :: non_neg_integer(), limit()) -> pos_integer().
run(Server, Seed, Limit) ->
    Args = args(Server, Seed),
    Port = open_port({spawn_executable, program()}, [{args, Args}, {packet, 4}, binary, exit_status]),
    Began = erlang:monotonic_time(second),
    try
        walk(Port, Server, {Seed, Args}, fun(Steps) -> is_over(Limit, Steps, Began) end, twitter_play:new(Server))
    after
        true = port_close(Port)
    end.

%% `make' says where it is.
program() ->
    case os:getenv("TWITTER_WALK") of
        false -> error("set TWITTER_WALK to the program of test/model, as make does");
        Program -> Program
    end.

%% ejabberd approves who has not asked yet since 26.03.
args(Server, Seed) ->
    PreApproves = twitter_server:call(Server, erlang, function_exported, [mod_roster, user_send_packet, 1]),
    ["--pre-approval" || PreApproves] ++ [integer_to_list(Seed)].

is_over({steps, Max}, Steps, _Began) -> Steps >= Max;
is_over({seconds, Seconds}, _Steps, Began) -> erlang:monotonic_time(second) - Began >= Seconds.

walk(Port, Server, Seed, IsOver, Play) ->
    {Number, Op, _, _, _, _, _} = Step = next(Port),
    {Findings, Next} =
        try step(Server, Step, Play)
        catch
            Class:Reason:Stack -> {[{Class, none, {Reason, Stack}}], Play}
        end,
    case [Finding || {_, Expected, Found} = Finding <- Findings, Expected =/= Found] of
        [] -> ok;
        Wrong -> error({walk, report(Seed, Number, Op, Wrong)})
    end,
    case IsOver(Number + 1) of
        false ->
            walk(Port, Server, Seed, IsOver, Next);
        true ->
            lists:foreach(fun twitter_client:abort/1, maps:values(twitter_play:clients(Next))),
            Number + 1
    end.

next(Port) ->
    true = port_command(Port, <<>>),
    receive
        {Port, {data, Bytes}} -> binary_to_term(Bytes);
        {Port, {exit_status, Status}} -> error({program_ended, Status})
    end.

%%% A step

-spec step(twitter_server:server(), tuple(), twitter_play:play()) -> {[finding()], twitter_play:play()}.
step(Server, {_Number, Op, Answers, Deliveries, Streams, Looks, Rosters}, Play) ->
    {Given, Next} = twitter_play:op(Op, Play),
    ok = twitter_server:settle(Server, ?SERVICE),
    Clients = maps:to_list(twitter_play:clients(Next)),
    ByUser = maps:to_list(maps:groups_from_list(fun({{Name, _}, _}) -> Name end, Clients)),
    Seen = twitter_cases:together([
        fun() -> seen(Sessions, proplists:get_all_values(Name, Looks)) end
     || {Name, Sessions} <- ByUser
    ]),
    Whole = [
        {answers, Answers, Given},
        {on_its_way, none, twitter_server:call(Server, twitter_backlog, complete_until, [<<"localhost">>])},
        {online, lists:sort([Name || {Name, _} <- Streams]), lists:sort([Name || {Name, _} <- ByUser])},
        {recipients_who_are_not_there, [], [To || {To, _} <- Deliveries, not lists:keymember(To, 1, Clients)]}
    ],
    OfRosters = [{{roster, Name}, Contacts, roster(Server, Name)} || {Name, Contacts} <- Rosters],
    {Whole ++ OfRosters ++ lists:append([compared(One, Deliveries, Streams) || One <- Seen]), Next}.

compared({Name, Stream, Places, Received}, Deliveries, Streams) ->
    [{{stream, Name}, posts(proplists:get_value(Name, Streams)), Stream}] ++
        [{{Name, element(1, Look), element(2, Look)}, expected(Look), Found} || {Look, Found} <- Places] ++
        [
            {{received, Session}, by_author([message(Message) || {To, Message} <- Deliveries, To =:= Session]),
             by_author(Messages)}
         || {Session, Messages} <- Received
        ].

%% What a person sees by the first of his sessions, and what all of them have received. The answer to any
%% request comes after all that was sent before.
seen([{{Name, _}, First} | Others] = Sessions, Looks) ->
    Stream = stream(First, ?FRIENDS),
    Places = [{Look, found(First, Look)} || Look <- Looks],
    _ = [twitter_answers:result(twitter_client:request(Client, <<"<iq type='get'><ping xmlns='urn:xmpp:ping'/></iq>">>))
         || {_, Client} <- Others],
    {Name, Stream, Places, [{Session, received(Client)} || {Session, Client} <- Sessions]}.

received(Client) ->
    [
        {twitter_events:node(Event), twitter_events:body(Event), twitter_events:entries(Event)}
     || Event <- lists:filter(twitter_events:is_event(), twitter_client:flush(Client))
    ].

%% Posts of one author come in their order; of two authors each has his own worker, perhaps.
by_author(Messages) ->
    Keyed = [{element(2, hd(Entries)), Message} || {_Node, _Body, Entries} = Message <- Messages],
    [Message || {_Author, Message} <- lists:keysort(1, Keyed)].

roster(Server, Name) ->
    [Contact || {_, Subscription} = Contact <- twitter_users:roster(Server, twitter_play:user(Name)), Subscription =/= none].

%%% Places

found(Client, {my_friends, _}) -> twitter_reading:rows(Client, <<"/twitter/MyFriends">>);
found(Client, {friend, Jid, _}) -> stream(Client, <<"/twitter/MyFriends/", Jid/binary>>);
found(Client, {my_stream, _}) -> stream(Client, ?MINE);
found(Client, {my_rows, _}) -> twitter_reading:rows(Client, ?MINE);
found(Client, {pages, Max, forward, _}) -> lists:append(twitter_reading:pages(Client, ?FRIENDS, {forward, Max}));
found(Client, {pages, Max, backward, _}) ->
    lists:append(lists:reverse(twitter_reading:pages(Client, ?FRIENDS, {backward, Max})));
found(Client, {rows, _}) -> twitter_reading:rows(Client, ?FRIENDS);
found(Client, {post, Id, _}) ->
    case stream(Client, <<?FRIENDS/binary, "/", Id/binary>>) of
        [Post] -> Post;
        Other -> Other
    end.

%% All posts at a node; `none' if it is refused exactly as what is sure not to exist.
stream(Client, Node) ->
    Answer = twitter_requests:items(Client, Node, ?ALL),
    case twitter_answers:refusal(Answer) of
        none ->
            counted(twitter_answers:entries(Answer), twitter_answers:page(Answer));
        <<"item-not-found">> ->
            Nowhere = <<"/twitter/MyFriends/nobody@localhost">>,
            Other = twitter_requests:items(Client, Nowhere, ?ALL),
            case twitter_answers:anonymous(Other, [Nowhere]) =:= twitter_answers:anonymous(Answer, [Node]) of
                true -> none;
                false -> {refused_otherwise, Answer}
            end;
        _ ->
            {refused, Answer}
    end.

%% An answer that says how many there are must be right.
counted(Posts, #{count := Count}) when Count =/= length(Posts) -> {counted, Count, Posts};
counted(Posts, _Page) -> Posts.

expected({pages, _, _, Posts}) -> [{Author, Id} || {Author, Id, _} <- Posts];
expected({friend, _, Posts}) -> posts(Posts);
expected({my_stream, Posts}) -> posts(Posts);
expected({post, _, none}) -> none;
expected({post, _, Post}) -> post(Post);
expected({_, Rows}) -> Rows.

posts(Posts) when is_list(Posts) -> [post(Post) || Post <- Posts];
posts(Other) -> Other.

post({Author, Id, Payload}) -> {Author, Id, twitter_play:content(Payload)}.

message({Node, Body, Entries}) -> {Node, Body, [entry(Entry) || Entry <- Entries]}.

entry({item, Author, Id, Payload}) ->
    case twitter_play:content(Payload) of
        #xmlel{} = Element -> {item, Author, Id, [Element]};
        Text -> {item, Author, Id, [{xmlcdata, Text}]}
    end;
entry({retract, _, _} = Retract) ->
    Retract.

%%% When something is wrong

report({Seed, Args}, Number, Op, Wrong) ->
    Names = lists:usort([Name || {What, _, _} <- Wrong, Name <- names(What)]),
    ct:pal(
        "Step ~b of the walk with seed ~b went wrong: ~tp~n~n~ts~n"
        "To see it again: make soak STEPS=~b SEED=~b~n~n"
        "The last steps that were about ~ts:~n~ts",
        [Number, Seed, Op, lists:map(fun difference/1, Wrong), Number + 1, Seed,
         case Names of
             [] -> "anybody";
             [_ | _] -> lists:join(", ", Names)
         end,
         shown(Args, Number, Names)]
    ),
    {seed, Seed, step, Number}.

names({received, {Name, _Resource}}) -> [Name];
names({_Whose, Name}) -> [Name];
names({Name, _Place, _Which}) -> [Name];
names(_) -> [].

shown(Args, Number, Names) ->
    All = Args ++ [integer_to_binary(Number) | Names],
    output(open_port({spawn_executable, program()}, [{args, All}, binary, exit_status])).

output(Port) ->
    receive
        {Port, {data, Bytes}} -> [Bytes | output(Port)];
        {Port, {exit_status, _}} -> []
    end.

difference({What, Expected, Found}) when is_list(Expected), is_list(Found) ->
    io_lib:format("~tp:~n  missing: ~tp~n  not expected: ~tp~n~ts", [
        What, Expected -- Found, Found -- Expected, [io_lib:format("  in another order: ~tp~n", [Found]) || Expected -- Found =:= [], Found -- Expected =:= []]
    ]);
difference({What, Expected, Found}) ->
    io_lib:format("~tp:~n  expected: ~tp~n  found: ~tp~n", [What, Expected, Found]).
